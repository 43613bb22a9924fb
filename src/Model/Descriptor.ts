/** What the rest of the library knows of a model at run time: names, modes, and checks of encoded data. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { decoder } from "./Decoder.ts"
import type { FieldOrder } from "./FieldOrder.ts"
import type { Ids } from "./Id.ts"
import { jsonCodec } from "./JsonCodec.ts"
import type { MergeShape } from "./MergePatch.ts"
import { plainJson } from "./PlainJson.ts"
import type { BrokenRule, Reference, Writes } from "./Rules.ts"

/** A record, or a part of one, as JSON: what the log, the tables and the wire carry. */
export interface EncodedRecord {
  readonly [field: string]: Schema.Json
}

/** One thing that is wrong with encoded data. `path` is dotted, and empty for the data as a whole. */
export interface FieldError {
  readonly path: string
  readonly message: string
}

/** A check of encoded data: its normal form, or everything that is wrong with it. An unknown field is wrong. */
export type Validate = (data: unknown) => Result.Result<EncodedRecord, ReadonlyArray<FieldError>>

/** A field's schema: what a model declares of it. No service may be needed to decode or encode. */
export type FieldSchema = Schema.Codec<unknown, unknown>

/** Where the records of a model are kept: by the cluster, by the cluster and each node, or by each node alone. */
export type Kept = "replicated" | "mixed" | "local"

/** A model at run time. */
export interface Descriptor<Mode extends Kept = Kept> {
  readonly name: string
  readonly path: string
  readonly version: number
  readonly mode: Mode
  readonly idField: string
  readonly ids: Ids
  readonly replicatedFields: ReadonlyArray<string>
  readonly localFields: ReadonlyArray<string>
  readonly uniqueFields: ReadonlyArray<string>
  /** Fields by which records are found without looking at all: the unique ones, the references, and those asked for. */
  readonly indexedFields: ReadonlyArray<string>
  readonly references: ReadonlyArray<Reference>
  readonly writes: Writes
  /** The problems that answer a broken rule of the model. */
  readonly ruleNames: ReadonlyArray<string>
  /** The rule that a valid record breaks, if it breaks one. */
  readonly brokenRule: (record: EncodedRecord) => BrokenRule | undefined
  /** By field, what its values are ordered by; none of a field whose values have no order. */
  readonly orders: ReadonlyMap<string, FieldOrder>
  /** Every field as an answer shows it. */
  readonly fields: Readonly<Record<string, FieldSchema>>
  readonly codecs: {
    /** The whole record that the machine keeps: the replicated part, or all of a local model. */
    readonly record: Validate
    /** The local part of a mixed record, with its id. */
    readonly localPart: Validate
  }
  /** What a merge patch must know of either. */
  readonly mergeShapes: { readonly record: MergeShape | undefined; readonly localPart: MergeShape | undefined }
}

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** Errors told of one record: an answer, and an entry that remembers it, stay small whatever was sent. */
export const fieldErrorsMax = 100

/** A key that a client made up, or a value that a message shows, may be as long as a body: it is cut. */
export const fieldErrorLengthMax = 500

/** What an issue says, path by path. */
export const errorsOf = (issue: SchemaIssue.Issue): ReadonlyArray<FieldError> =>
  formatIssue(issue)
    .issues.slice(0, fieldErrorsMax)
    .map(({ message, path }) => ({
      path: (path ?? [])
        .map((step) => String(typeof step === "object" ? step.key : step))
        .join(".")
        .slice(0, fieldErrorLengthMax),
      message: message.slice(0, fieldErrorLengthMax)
    }))

/**
 * A model's own check threw, or did not end at once. It runs where commands are decided: there it would stop the node,
 * and, sent again, the next one. What it threw is not told, for it may hold anything.
 */
const unchecked: ReadonlyArray<FieldError> = [{ path: "", message: "A check of the model cannot be run on this" }]

/** Decoding and encoding again gives the one encoded form of a value: equal values have equal bytes and hashes. */
export const validator = (schema: Schema.Top): Validate => {
  const codec = jsonCodec(schema) as unknown as Schema.Codec<unknown, EncodedRecord>
  const decode = decoder(codec)
  const encode = Schema.encodeUnknownResult(codec)
  return (data) =>
    Result.flatMap(
      Result.try({ try: () => Result.flatMap(decode(data), encode), catch: () => unchecked }),
      (encoded) =>
        Result.isFailure(encoded)
          ? Result.fail(errorsOf(encoded.failure.issue))
          : // What a schema lets through may be no JSON: the log would hold another record than was decided on.
            (plainJson(encoded.success) as Result.Result<EncodedRecord, ReadonlyArray<FieldError>>)
    )
}
