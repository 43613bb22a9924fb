/** What a repository checks before it asks: ids, versions and keys that cannot be. Pure. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isKey, noKey } from "../Machine/RequestKey.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { FieldError } from "../Model/FieldError.ts"
import { invalidRequest, notFound, type Problem } from "../Problem.ts"
import type { ConditionalOptions } from "./ModelRepository.ts"

/** Messages quote at most so many characters of a bad id. */
const shownMax = 200

/** An id that cannot be in a path names no record. */
export const namedId = ({ ids, name }: Descriptor, id: string): Effect.Effect<void, Problem> => {
  const shown = id.slice(0, shownMax)
  return ids.isId(id) ? Effect.void : Effect.fail(notFound(`There is no ${name} ${shown}`))
}

/** Refuses to create a record with a bad id. */
export const newId = (
  { idField, ids, name }: Descriptor,
  id: string
): Result.Result<void, ReadonlyArray<FieldError>> =>
  ids.isId(id) ? Result.void : Result.fail([{ path: idField, message: `Expected an id of ${name}` }])

/** Refuses a version that no record has. */
export const expectedVersion = ({
  ifVersion
}: ConditionalOptions = {}): Result.Result<number | undefined, ReadonlyArray<FieldError>> =>
  ifVersion === undefined || (Number.isSafeInteger(ifVersion) && ifVersion >= 1)
    ? Result.succeed(ifVersion)
    : Result.fail([{ path: "ifVersion", message: "Expected a version: a whole number from 1" }])

/** Refuses an idempotency key that no request can have. */
export const checkKey = (key: string): Effect.Effect<void, Problem> =>
  isKey(key) ? Effect.void : Effect.fail(invalidRequest(noKey, [{ path: "key", message: noKey }]))
