/**
 * API keys, as records of an internal model: the cluster decides, replicates and snapshots them like any other record,
 * and keeps the digest of each key only. A key counts while its record is there, so its revocation has an index.
 * docs/access.md.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { Effect, Schema } from "effect"
import { idMaxBytes, type Principal, rolesMaxCount, system } from "../Access/Caller.ts"
import { apiKeyModel } from "../Machine/Guard.ts"
import { get, type Tables } from "../Machine/Tables.ts"
import { Class, describe } from "../Model/Class.ts"
import { bareId } from "../Model/Field.ts"
import type { Problem } from "../Problem.ts"
import { notFound } from "../Problem.ts"
import type { ChangeFailure, Records } from "./Records.ts"

class ApiKey extends Class<ApiKey>(apiKeyModel)(
  {
    id: bareId(Schema.String),
    /** SHA-256 of the whole key, in hexadecimal digits. */
    digest: Schema.String,
    name: Schema.String,
    roles: Schema.Array(Schema.String),
    createdMs: Schema.Int,
    expiresMs: Schema.optionalKey(Schema.Int)
  },
  { mode: "replicate", path: "api-keys", http: false }
) {}

/** The internal model. Every node gives it to its member beside its own models. */
export const descriptor = describe(ApiKey)

/** The longest life of a key that expires: ten years. */
const lifeMaxSeconds = 315_360_000

/** What an operator says about a new key. */
export const NewKey = Schema.Struct({
  name: Schema.NonEmptyString.check(Schema.isMaxLength(idMaxBytes)).annotateKey({
    description: "Whom or what the key is for"
  }),
  roles: Schema.optionalKey(
    Schema.Array(Schema.NonEmptyString.check(Schema.isMaxLength(idMaxBytes))).check(Schema.isMaxLength(rolesMaxCount))
  ),
  expiresInSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: lifeMaxSeconds })))
}).annotate({ identifier: "lithair.NewApiKey" })

/** A key without its secret. */
export const ShownKey = Schema.Struct({
  id: Schema.String,
  /** The id of the principal that shows the key. */
  principal: Schema.String,
  name: Schema.String,
  roles: Schema.Array(Schema.String),
  createdAt: Schema.String,
  expiresAt: Schema.NullOr(Schema.String)
}).annotate({ identifier: "lithair.ApiKey" })

/** A new key with its secret, which is shown once. */
export const MadeKey = Schema.Struct({ ...ShownKey.fields, key: Schema.String }).annotate({
  identifier: "lithair.MadeApiKey"
})

/** The parts of a key: its id, and 256 random bits. */
const pattern = /^lk1_([a-z0-9]{16})_[A-Za-z0-9_-]{43}$/

/** Whether a bearer token is meant to be an API key. */
export const looksLikeKey = (text: string): boolean => text.startsWith("lk1_")

/** The id in a key; undefined if the text is no key. */
export const idOfKey = (text: string): string | undefined => pattern.exec(text)?.[1]

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest()

type Row = Schema.Schema.Type<typeof ApiKey>

const rowOf = (tables: Tables, id: string) => {
  const row = get(tables, apiKeyModel, id)
  // This code wrote the record, so it has the shape.
  return row === undefined ? undefined : { version: row.version, key: row.data as unknown as Row }
}

/** The principal of a key; undefined if the cluster has no such key, or it has expired. */
export const principalOf = (tables: Tables, text: string, nowMs: number): Principal | undefined => {
  const id = idOfKey(text)
  const found = id === undefined ? undefined : rowOf(tables, id)
  if (id === undefined || found === undefined) return undefined
  const { digest, expiresMs, roles } = found.key
  if (!timingSafeEqual(digestOf(text), Buffer.from(digest, "hex"))) return undefined
  if (expiresMs !== undefined && nowMs >= expiresMs) return undefined
  return {
    _tag: "Principal",
    id: `key:${id}`,
    roles,
    claims: {},
    apiKey: { id, version: found.version },
    ...(expiresMs === undefined ? {} : { expiresMs })
  }
}

/** Whether the cluster has a key with the id of this one, as far as these tables know. */
export const isKnownKey = (tables: Tables, text: string): boolean => {
  const id = idOfKey(text)
  return id !== undefined && rowOf(tables, id) !== undefined
}

/** Whether the cluster still has the key by which a principal has signed in, as far as these tables know. */
export const isCurrent = (tables: Tables, { id, version }: NonNullable<Principal["apiKey"]>): boolean =>
  rowOf(tables, id)?.version === version

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

/** An id of 16 letters and digits. A byte past the last multiple of 36 would make some of them likelier. */
const newId = (): string => {
  let id = ""
  while (id.length < 16) {
    for (const byte of randomBytes(32)) if (byte < 252 && id.length < 16) id += letters.charAt(byte % 36)
  }
  return id
}

const shown = (
  id: string,
  { createdMs, expiresMs, name, roles }: Omit<Row, "id" | "digest">
): typeof ShownKey.Type => ({
  id,
  principal: `key:${id}`,
  name,
  roles,
  createdAt: new Date(createdMs).toISOString(),
  expiresAt: expiresMs === undefined ? null : new Date(expiresMs).toISOString()
})

/** Makes a key, which exists once this has returned. */
export const create = Effect.fnUntraced(function* (
  records: Records["Service"],
  { expiresInSeconds, name, roles = [] }: typeof NewKey.Type,
  nowMs: number
): Effect.fn.Return<typeof MadeKey.Type, ChangeFailure> {
  const id = newId()
  const key = `lk1_${id}_${randomBytes(32).toString("base64url")}`
  const row = {
    name,
    roles,
    createdMs: nowMs,
    ...(expiresInSeconds === undefined ? {} : { expiresMs: nowMs + expiresInSeconds * 1000 })
  }
  const data = { ...row, digest: digestOf(key).toString("hex") }
  yield* records.change(system, descriptor, { _tag: "Create", model: apiKeyModel, id, data })
  return { ...shown(id, row), key }
})

/** The keys of the cluster, by their ids. */
export const listed = (tables: Tables): ReadonlyArray<typeof ShownKey.Type> =>
  Array.from(tables.byModel.get(apiKeyModel)?.rows.entries() ?? [], ([id, { data }]) =>
    shown(id, data as unknown as Row)
  )

/** Revokes a key: nothing that it does is decided after this entry. */
export const revoke = (records: Records["Service"], id: string): Effect.Effect<void, ChangeFailure | Problem> =>
  records.change(system, descriptor, { _tag: "Delete", model: apiKeyModel, id }).pipe(
    Effect.asVoid,
    Effect.catchIf(
      (failure) => failure._tag === "Refused" && failure.rejection._tag === "NotFound",
      () => Effect.fail(notFound(`There is no API key ${id.slice(0, 64)}`))
    )
  )
