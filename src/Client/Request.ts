/** The requests of changes: what a client sends. A node's own code knows copies of a change by them too. Pure. */
import { collectionPath, commandPath, transactionPath } from "../Http/Paths.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { EncodedChange } from "./Change.ts"

/** A request that changes something. */
export interface ChangeRequest {
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE"
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const at = (descriptor: Descriptor, id: string): string => `${collectionPath(descriptor)}/${encodeURIComponent(id)}`

const condition = (version: number | undefined): Pick<ChangeRequest, "headers"> =>
  version === undefined ? {} : { headers: { "if-match": `"${version}"` } }

/** Creates a record. */
export const create = (descriptor: Descriptor, body: EncodedRecord): ChangeRequest => ({
  method: "POST",
  path: collectionPath(descriptor),
  body
})

/** Replaces a record, or applies a merge patch to it. */
export const write = (
  method: "PUT" | "PATCH",
  descriptor: Descriptor,
  { body, id, version }: { readonly id: string; readonly body: EncodedRecord; readonly version: number | undefined }
): ChangeRequest => ({ method, path: at(descriptor, id), body, ...condition(version) })

/** Deletes a record. */
export const remove = (descriptor: Descriptor, id: string, version: number | undefined): ChangeRequest => ({
  method: "DELETE",
  path: at(descriptor, id),
  ...condition(version)
})

/** Makes several changes. */
export const transact = (changes: ReadonlyArray<EncodedChange>): ChangeRequest => ({
  method: "POST",
  path: transactionPath,
  body: { ops: changes.map(({ model: _, descriptor, ...change }) => ({ ...change, model: descriptor.name })) }
})

/** Calls a command. */
export const call = (command: { readonly name: string }, body: unknown): ChangeRequest => ({
  method: "POST",
  path: commandPath(command),
  body
})
