export { SlotsHeldError, SlotsTimeoutError } from './slots/errors.js';
export type { SlotStatus, SlotsStatus } from './slots/inspect.js';
export type { SlotOptions, SlotsOptions, WithSlotOptions } from './slots/options.js';
export { Slot } from './slots/slot.js';
export { Slots, withSlot } from './slots/slots.js';
