import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import { ROOT } from './docs-pages.js';

const FOLDER = join(ROOT, 'schemas');
export const SCHEMAS = readdirSync(FOLDER);

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
ajv.addFormat('date-time', (text) => new Date(text).toISOString() === text);
for (const name of SCHEMAS) {
  ajv.addSchema(closed(JSON.parse(readFileSync(join(FOLDER, name), 'utf8'))), name);
}

/**
 * The package promises that `value` has all fields of the schema. To keep the
 * schema complete, the test also allows no other fields, and no values but the
 * examples.
 */
export function expectSchema(name: string, value: unknown): void {
  const validate = ajv.getSchema(name);
  const isValid = validate?.(value);
  expect({ isValid, errors: validate?.errors ?? null }, name).toEqual({
    isValid: true,
    errors: null,
  });
}

/** Consumers must accept new fields and values; the schemas here must list all. */
function closed(schema: AnySchemaObject): AnySchemaObject {
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closedValue(value)]),
  );
  const { examples, ...rest } = inner;
  const values = examples === undefined ? {} : { enum: examples };
  return rest['properties'] === undefined
    ? { ...rest, ...values }
    : { ...rest, ...values, additionalProperties: false };
}

function closedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closedValue);
  return typeof value === 'object' && value !== null ? closed(value as AnySchemaObject) : value;
}
