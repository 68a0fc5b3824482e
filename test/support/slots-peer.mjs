// Another process, or worker thread, that takes slots as the test asks.
import { Slots } from '../../dist/slots.js';
import { serve, tell } from './serve.mjs';

const taken = new Map();
const aborts = new Map();

const describe = (slot) =>
  slot && { number: slot.number, token: slot.token, previous: slot.previous };

serve({
  async acquire(name, directory, slots, options = {}) {
    const controller = new AbortController();
    aborts.set(name, controller);
    const slot = await new Slots(directory, { slots }).acquire({
      ...options,
      signal: controller.signal,
      onWait: (holders) => tell('waiting', name, holders),
    });
    taken.set(name, slot);
    return describe(slot);
  },
  tryAcquire(name, directory, slots) {
    const slot = new Slots(directory, { slots }).tryAcquire();
    if (slot !== null) taken.set(name, slot);
    return describe(slot);
  },
  abort: (name) => aborts.get(name).abort(new Error('aborted by the test')),
  release: (name) => taken.get(name).release(),
});
