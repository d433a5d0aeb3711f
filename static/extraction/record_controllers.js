// What pages of records need beside the shell.

import BuilderController from "extraction/builder_controller";
import CollectionFeedController from "extraction/collection_feed_controller";
import ConditionController from "extraction/condition_controller";
import RecordController from "extraction/record_controller";
import RecordsController from "extraction/records_controller";
import RelationController from "extraction/relation_controller";
import TemplateController from "extraction/template_controller";

export default {
  builder: BuilderController,
  "collection-feed": CollectionFeedController,
  condition: ConditionController,
  record: RecordController,
  records: RecordsController,
  relation: RelationController,
  template: TemplateController,
};
