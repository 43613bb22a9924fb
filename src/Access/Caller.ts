/** Who asks a node for something. Pure data: a forwarded order carries it to the leader. docs/access.md. */
import type * as Schema from "effect/Schema"

/** Nobody signed in. */
export interface Anonymous {
  readonly _tag: "Anonymous"
}

/** The application's own code on a node, and the node itself. No rule holds for it. */
export interface System {
  readonly _tag: "System"
}

/** Somebody who showed a credential. */
export interface Principal {
  readonly _tag: "Principal"
  /** `issuer|subject`, or `key:<id>` for an API key: at most {@link idMaxBytes}. Entries of the log keep it. */
  readonly id: string
  readonly roles: ReadonlyArray<string>
  /** What the credential says besides, as JSON of at most {@link claimsMaxBytes}. */
  readonly claims: Readonly<Record<string, Schema.Json>>
  /** The API key that was shown: nodes look it up again, so that it counts no more once it is revoked. */
  readonly apiKey?: { readonly id: string; readonly version: number }
  /** When the credential expires, in ms since the epoch; undefined if it never does. */
  readonly expiresMs?: number
}

/** Who asks. */
export type Caller = Anonymous | System | Principal

/** The limits of a principal. */
export const idMaxBytes = 256
export const claimsMaxBytes = 4096
export const rolesMaxCount = 64

/** Nobody signed in. */
export const anonymous: Anonymous = { _tag: "Anonymous" }

/** The application's own code, and the node itself. */
export const system: System = { _tag: "System" }

/** The id of a principal. Others have none. */
export const idOf = (caller: Caller | undefined): string | undefined =>
  caller?._tag === "Principal" ? caller.id : undefined

/** The id by which the log and keys know the application's own code, where rules hold. No principal has it. */
export const systemId = "lithair:system"

/**
 * Who owns the idempotency keys of a caller, and stands with its entries in the log. Where rules hold, the application
 * shares no keys with anonymous callers.
 */
export const ownerOf = (caller: Caller, isGuarded: boolean): string | undefined =>
  caller._tag === "System" && isGuarded ? systemId : idOf(caller)

/** Whether the caller has a role. */
export const hasRole = (caller: Caller, role: string): boolean =>
  caller._tag === "Principal" && caller.roles.includes(role)

/** What is wrong with a principal that an authenticator made; undefined if nothing is. */
export const wrongWith = ({ claims, expiresMs, id, roles }: Omit<Principal, "_tag">): string | undefined => {
  if (id === "" || Buffer.byteLength(id) > idMaxBytes) return `An id has 1 to ${idMaxBytes} bytes`
  if (id.startsWith("lithair:")) return "An id does not begin with lithair:"
  if (roles.length > rolesMaxCount || roles.some((role) => typeof role !== "string" || role.length > idMaxBytes)) {
    return `A principal has at most ${rolesMaxCount} roles of at most ${idMaxBytes} characters`
  }
  if (expiresMs !== undefined && !Number.isSafeInteger(expiresMs)) return "A credential expires at a whole millisecond"
  if (Buffer.byteLength(JSON.stringify(claims)) > claimsMaxBytes) return `Claims have at most ${claimsMaxBytes} bytes`
  return undefined
}

/** Whether JSON from a peer is a caller. */
export const isCaller = (json: unknown): json is Caller => {
  if (!isObject(json)) return false
  if (json._tag === "Anonymous" || json._tag === "System") return Object.keys(json).length === 1
  const { _tag, apiKey, claims, expiresMs, id, roles, ...others } = json
  return (
    _tag === "Principal" &&
    Object.keys(others).length === 0 &&
    typeof id === "string" &&
    Array.isArray(roles) &&
    roles.every((role) => typeof role === "string") &&
    isObject(claims) &&
    (apiKey === undefined ||
      (isObject(apiKey) &&
        Object.keys(apiKey).length === 2 &&
        typeof apiKey.id === "string" &&
        Number.isSafeInteger(apiKey.version))) &&
    (expiresMs === undefined || Number.isSafeInteger(expiresMs))
  )
}

const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === "object" && json !== null && !Array.isArray(json)
