"""Speed, measured as PROMISES says: everything of ours on one core, the model server and the clients on the other."""
