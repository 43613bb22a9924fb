/** A model at run time, as the rest of the library sees it: names, modes, and checks of encoded data. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Rules } from "../Access/Rule.ts"
import { decoder } from "./Decoder.ts"
import type { EncodedRecord } from "./EncodedRecord.ts"
import { errorsOf, type FieldError } from "./FieldError.ts"
import type { FieldOrder } from "./FieldOrder.ts"
import type { GuardedFields } from "./GuardedFields.ts"
import type { Ids } from "./Id.ts"
import { jsonCodec } from "./JsonCodec.ts"
import type { MergeShape } from "./MergePatch.ts"
import { plainJson } from "./PlainJson.ts"
import { notParsed, quickParser } from "./QuickParser.ts"
import type { BrokenRule, Reference, Writes } from "./Rules.ts"
import type { Readers } from "./StoredRecord.ts"

/** Checks encoded data, and returns its normal form or all errors. An unknown field is an error. */
export type Validate = (data: unknown) => Result.Result<EncodedRecord, ReadonlyArray<FieldError>>

/** The schema of a field. It must decode and encode without services. */
export type FieldSchema = Schema.Codec<unknown, unknown>

/** Where a model's records are kept: by the cluster, by the cluster and each node, or by each node alone. */
export type Kept = "replicated" | "mixed" | "local"

/** A model at run time. */
export interface Descriptor<Mode extends Kept = Kept, Id extends string = string> {
  readonly name: string
  readonly path: string
  readonly version: number
  readonly mode: Mode
  readonly idField: string
  readonly ids: Ids<Id>
  readonly replicatedFields: ReadonlyArray<string>
  readonly localFields: ReadonlyArray<string>
  readonly uniqueFields: ReadonlyArray<string>
  /** Fields by which records are found without a full scan: unique fields, references, and indexes. */
  readonly indexedFields: ReadonlyArray<string>
  readonly references: ReadonlyArray<Reference>
  readonly writes: Writes
  /** Who may do what with the records; undefined if the model has no rules. */
  readonly access: Rules | undefined
  /** Whether HTTP knows the model. */
  readonly isServed: boolean
  /** The fields that not every author sets or sees; undefined if there are none. */
  readonly guarded: GuardedFields | undefined
  /** The problem types for a broken rule of the model. */
  readonly ruleNames: ReadonlyArray<string>
  /** The rule that a valid record breaks, if it breaks one. */
  readonly brokenRule: (record: EncodedRecord) => BrokenRule | undefined
  /** The order of each field's values. A field without an order is absent. */
  readonly orders: ReadonlyMap<string, FieldOrder>
  /** Every field as an answer shows it. */
  readonly fields: Readonly<Record<string, FieldSchema>>
  readonly codecs: {
    /** Checks the whole record that the machine keeps: the replicated part, or all of a local model. */
    readonly record: Validate
    /** Checks the local part of a mixed record, with its id. */
    readonly localPart: Validate
  }
  /** Read what this or another release has stored. */
  readonly read: Readers
  /** Tells declarations apart, as far as a text can: shapes, lifts, unique fields, references and rules (Fingerprint.ts). */
  readonly fingerprint: () => string
  /** The shapes that a merge patch needs, of the record and of the local part. */
  readonly mergeShapes: { readonly record: MergeShape | undefined; readonly localPart: MergeShape | undefined }
}

/**
 * A check of the model threw or did not end at once. It runs where commands are decided, where a throw would stop the
 * node and, after a retry, the next one. The error does not show what was thrown, since that may hold secrets.
 */
const unchecked: ReadonlyArray<FieldError> = [{ path: "", message: "A check of the model cannot be run on this" }]

/** Decodes and encodes again, so that a value has one encoded form: equal values have equal bytes and hashes. */
export const validator = (schema: Schema.Top): Validate => {
  const codec = jsonCodec(schema) as unknown as Schema.Codec<unknown, EncodedRecord>
  const decode = decoder(codec)
  const quick = quickParser(() => Schema.flip(codec).ast)
  const encode = Schema.encodeUnknownResult(codec)
  const encoded = (value: unknown): Result.Result<unknown, Schema.SchemaError> => {
    const encoded = quick(value)
    return encoded === notParsed ? encode(value) : Result.succeed(encoded)
  }
  return (data) =>
    Result.flatMap(
      Result.try({ try: () => Result.flatMap(decode(data), encoded), catch: () => unchecked }),
      (encoded) =>
        Result.isFailure(encoded)
          ? Result.fail(errorsOf(encoded.failure.issue))
          : // What a schema lets through may be no JSON: the log would hold another record than was decided on.
            (plainJson(encoded.success) as Result.Result<EncodedRecord, ReadonlyArray<FieldError>>)
    )
}
