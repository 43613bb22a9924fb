/** Which models refer to which. Pure; known from the models alone. References.ts has what follows for records. */
import { invariant } from "../Invariant.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Reference } from "../Model/Rules.ts"

/** A reference, seen from the model that it points to: `model` is the one whose field it is. */
export type Referrer = Reference

/** By the model that is referred to. */
export type Referrers = ReadonlyMap<string, ReadonlyArray<Referrer>>

/** The references between models. The code is wrong if it refers to a model that the cluster does not hold. */
export const referrersOf = (descriptors: ReadonlyArray<Descriptor>): Referrers => {
  const referrers = new Map<string, Array<Referrer>>()
  for (const { name, references } of descriptors) {
    for (const { field, model: target, onDelete } of references) {
      const known = descriptors.some((descriptor) => descriptor.name === target && descriptor.mode !== "local")
      invariant(known, `Model "${name}" refers to "${target}" by "${field}", but no replicated model has this name`)
      referrers.set(target, [...(referrers.get(target) ?? []), { model: name, field, onDelete }])
    }
  }
  return referrers
}
