export type { UpdateContext } from './update/change-file.js';
export type {
  UpdateFileOptions,
  UpdateJsonOptions,
  UpdateOptions,
} from './update/options.js';
export { updateFile } from './update/update-file.js';
export { updateJson } from './update/update-json.js';
