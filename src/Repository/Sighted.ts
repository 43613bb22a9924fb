/** A record, and the source of a list, as a caller sees them: what it may read, without the fields that it does not see. Pure. */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import type { Folded } from "../Access/fold.ts"
import type { Policy } from "../Access/Policy.ts"
import type { ListSource } from "../Machine/List.ts"
import type { RecordUnreadable } from "../Machine/ReadRow.ts"
import { unseenBy, without } from "../Machine/Seen.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Shown } from "./Changed.ts"
import { isReadable } from "./Reading.ts"

/** Who reads a model, what is enforced, and the records that the caller may read: undefined for all. */
export interface Reader {
  readonly policy: Policy | undefined
  readonly caller: Caller
  readonly descriptor: Descriptor
  readonly reach: Folded | undefined
}

/** The record without the fields that the caller does not see. */
export const seenBy = <A extends Shown>(
  { caller, descriptor, policy }: Pick<Reader, "policy" | "caller" | "descriptor">,
  shown: A
): A => {
  const unseen = unseenBy(policy, caller, descriptor)
  return unseen.length === 0 ? shown : { ...shown, record: without(unseen, shown.record) }
}

/** The record that was found, as the caller sees it; undefined if there is none, or if the caller may not read it. */
export const seenRecord = (
  reader: Reader,
  id: string,
  found: Result.Result<Shown | undefined, RecordUnreadable>
): Result.Result<Shown | undefined, RecordUnreadable> => {
  const { descriptor, reach } = reader
  // No rule can be asked about a record that cannot be read.
  if (Result.isFailure(found)) return reach === undefined ? found : Result.succeed(undefined)
  const shown = found.success
  const isSeen = shown !== undefined && isReadable(reach, descriptor, { id, record: shown.record })
  return Result.succeed(isSeen ? seenBy(reader, shown) : undefined)
}

/** The records that the caller may read, with the fields that it sees. */
export const seenSource = ({ caller, descriptor, policy, reach }: Reader, source: ListSource): ListSource => ({
  ...source,
  reach,
  unseen: unseenBy(policy, caller, descriptor)
})
