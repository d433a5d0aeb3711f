// Everything a page with a composer needs, in the order in which the controllers rely on each other.

import AccessController from "conversations/access_controller";
import ComposerController from "conversations/composer_controller";
import ConversationController from "conversations/conversation_controller";
import ConversationMenuController from "conversations/conversation_menu_controller";
import FilesController from "conversations/files_controller";
import FindController from "conversations/find_controller";
import MessageController from "conversations/message_controller";
import StartController from "conversations/start_controller";

export default {
  access: AccessController,
  files: FilesController,
  composer: ComposerController,
  message: MessageController,
  conversation: ConversationController,
  "conversation-menu": ConversationMenuController,
  find: FindController,
  start: StartController,
};
