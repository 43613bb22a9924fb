/**
 * Leaves hidden fields out of what HTTP takes, and out of its documents. Machine/Seen.ts leaves them out of answers.
 * docs/access.md, "Fields". Pure.
 */
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest, type Problem } from "../Problem.ts"

/** The model as HTTP knows it: without its hidden fields. */
export const publicOf = (descriptor: Descriptor): Descriptor => {
  const hidden = descriptor.guarded?.hidden ?? []
  if (hidden.length === 0) return descriptor
  const fields = Object.entries(descriptor.fields).filter(([field]) => !hidden.includes(field))
  return { ...descriptor, fields: Object.fromEntries(fields) }
}

/** Refuses data that names hidden fields, as unknown ones are refused. */
export const refusedFields = (
  { guarded }: Pick<Descriptor, "guarded">,
  data: unknown,
  place = ""
): Problem | undefined => {
  const hidden = guarded?.hidden ?? []
  if (hidden.length === 0 || typeof data !== "object" || data === null) return undefined
  const errors = hidden
    .filter((field) => Object.hasOwn(data, field))
    .map((field) => ({ path: place === "" ? field : `${place}.${field}`, message: "Expected no excess property" }))
  return errors.length === 0 ? undefined : invalidRequest("The data does not fit the model: see the errors", errors)
}
