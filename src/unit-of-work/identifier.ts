/** What names a row in get(): one value, the values of a composite key in their order, or an object of them. */
import type { EntityMetadata, ObjectLiteral } from 'typeorm';
import { InvalidParameterError } from '../errors.js';
import { shapeOf } from './entity-shape.js';

/** A row by its primary key. */
export interface Identity {
  readonly where: ObjectLiteral;
  readonly key: string;
}

export function identify(metadata: EntityMetadata, identifier: unknown): Identity {
  const where = Array.isArray(identifier)
    ? fromValues(metadata, identifier)
    : isNamed(identifier)
      ? fromNames(metadata, identifier)
      : fromValues(metadata, [identifier]);
  const key = shapeOf(metadata).keyOf(where);
  if (key === undefined)
    throw new InvalidParameterError(
      `The identifier of a ${metadata.name} is null or undefined in part: it names no row. Check it before get().`,
    );
  if (metadata.primaryColumns.some((column) => Number.isNaN(numberOf(column.getEntityValue(where)))))
    throw new InvalidParameterError(
      `The identifier of a ${metadata.name} has NaN or an invalid date in it: it names no row. Check it before get().`,
    );
  return { where, key };
}

function numberOf(value: unknown): unknown {
  return value instanceof Date ? value.getTime() : value;
}

function fromValues(metadata: EntityMetadata, values: readonly unknown[]): ObjectLiteral {
  const { primaryColumns } = metadata;
  if (values.length !== primaryColumns.length)
    throw new InvalidParameterError(
      `Incorrect number of values in identifier: ${values.length} for a ${metadata.name}, whose primary key is ${keyNames(metadata)}.`,
    );
  return merged(primaryColumns.map((column, place) => column.createValueMap(values[place])));
}

function fromNames(metadata: EntityMetadata, named: ObjectLiteral): ObjectLiteral {
  const { primaryColumns } = metadata;
  const expected = new Set(
    primaryColumns.map(
      ({ propertyPath, relationMetadata }) => relationMetadata?.propertyPath ?? propertyPath,
    ),
  );
  const roots = new Set([...expected].map((path) => path.split('.')[0]!));
  const isRight =
    Object.keys(named).every((name) => roots.has(name)) &&
    [...roots].every((root) => Object.hasOwn(named, root));
  if (!isRight)
    throw new InvalidParameterError(
      `Incorrect names of values in identifier: the primary key of ${metadata.name} is ${keyNames(metadata)}.`,
    );
  return named;
}

function merged(parts: readonly ObjectLiteral[]): ObjectLiteral {
  const whole: ObjectLiteral = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      whole[name] = isNamed(whole[name]) && isNamed(value) ? merged([whole[name], value]) : value;
    }
  }
  return whole;
}

function isNamed(value: unknown): value is ObjectLiteral {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function keyNames({ primaryColumns }: EntityMetadata): string {
  return primaryColumns.map(({ propertyPath }) => propertyPath).join(', ');
}
