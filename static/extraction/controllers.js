// What suggested records need, below messages and in the queue.

import ExtractController from "extraction/extract_controller";
import ExtractionController from "extraction/extraction_controller";
import ProposalController from "extraction/proposal_controller";
import ReviewController from "extraction/review_controller";
import WishController from "extraction/wish_controller";

export default { extract: ExtractController, extraction: ExtractionController, proposal: ProposalController, review: ReviewController, wish: WishController };
