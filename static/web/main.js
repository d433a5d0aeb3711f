// The one module every page loads: it starts the controllers. Each controller is small and owns one element.

import { Application } from "@hotwired/stimulus";
import "core/trusted_types";
import "htmx.org";

import ConnectionController from "web/connection_controller";
import CopyController from "web/copy_controller";
import KeysController from "web/keys_controller";
import { openKept, sealOnLeaving } from "web/leaving";
import MenuController from "web/menu_controller";
import { renewOlderForms } from "web/older_forms";
import PaletteController from "web/palette_controller";
import PasskeyController from "web/passkey_controller";
import PickerController from "web/picker_controller";
import ProviderController from "web/provider_controller";
import { tellRefusals } from "web/refusals";
import ShellController from "web/shell_controller";
import TabsController from "web/tabs_controller";
import TalksController from "web/talks_controller";
import ToastsController from "web/toasts_controller";
import { tellZone } from "web/zone";

const controllers = {
  connection: ConnectionController,
  copy: CopyController,
  keys: KeysController,
  menu: MenuController,
  palette: PaletteController,
  passkey: PasskeyController,
  picker: PickerController,
  provider: ProviderController,
  shell: ShellController,
  tabs: TabsController,
  talks: TalksController,
  toasts: ToastsController,
};

await openKept();
renewOlderForms(); // before what sends a form itself: with an old token nobody would be signed out
sealOnLeaving();
tellRefusals();
tellZone();

// Forms and lists need none of what a conversation needs.
if (document.querySelector('[data-controller~="composer"]')) {
  Object.assign(controllers, (await import("conversations/controllers")).default);
}

if (document.querySelector('[data-controller~="extract"], [data-controller~="review"]')) {
  Object.assign(controllers, (await import("extraction/controllers")).default);
}

if (document.querySelector('[data-tab="workflow"]')) {
  controllers["run-panel"] = (await import("workflows/panel_controller")).default;
}

if (document.querySelector('[data-controller~="flow"]')) {
  controllers.flow = (await import("workflows/flow_controller")).default;
}

if (document.querySelector('[data-controller~="flow-editor"]')) {
  controllers["flow-editor"] = (await import("workflows/editor_controller")).default;
}

if (document.querySelector('[data-controller~="operation"]')) {
  controllers.operation = (await import("bulk/operation_controller")).default;
}

if (document.querySelector('[data-controller~="records"], [data-controller~="record"], [data-controller~="builder"], [data-controller~="relation"], [data-controller~="template"]')) {
  Object.assign(controllers, (await import("extraction/record_controllers")).default);
}

const application = Application.start();
for (const [name, controller] of Object.entries(controllers)) application.register(name, controller);

// What another page of this member has left unsent goes out from here.
if (document.body.dataset.viewerId) {
  const { outbox } = await import("conversations/outbox");
  outbox().send();
}
document.body.dataset.ready = "";
// Where something was wrong with what was sent, that is where one goes on.
const wrong = [...document.querySelectorAll('[aria-invalid="true"]'), ...document.querySelectorAll("[data-focus]")];
wrong.find((each) => each.checkVisibility())?.focus();
