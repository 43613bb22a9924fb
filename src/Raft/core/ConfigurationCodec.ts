/**
 * The payload of a configuration entry. It is JSON, as in `{"voters":[{"id":…,"address":…,"instanceId":…}]}`. It has
 * `learners` if there are any, and `outgoing` while the configuration is joint. A member has `start` once a leader has
 * recorded one. Pure. §6.
 */
import type { Start } from "../../EventStore/Start.ts"
import { type Configuration, type ConfigurationMember, type Learner, plain } from "./Configuration.ts"

/** The reason why a payload is not a configuration. */
export interface BadConfiguration {
  readonly _tag: "BadConfiguration"
  readonly found: string
}

/** The limit on voters, on learners and on outgoing voters, each by itself. */
export const membersMaxCount = 64

/** Encodes the keys in a fixed order and leaves out empty ones, so that equal configurations have equal bytes. */
export const encodeConfiguration = ({ learners, outgoing, voters }: Configuration): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      voters: voters.map(plain),
      ...(learners.length === 0
        ? {}
        : { learners: learners.map((each) => ({ ...plain(each), autoPromote: each.autoPromote })) }),
      ...(outgoing === undefined ? {} : { outgoing: outgoing.map(plain) })
    })
  )

/**
 * Decodes a configuration, or says why the payload is none. It refuses unknown keys: such a key may stand for a kind of
 * member that this code would leave out when it counts quorums.
 */
export const decodeConfiguration = (
  payload: Uint8Array
): { readonly _tag: "Configuration"; readonly configuration: Configuration } | BadConfiguration => {
  const json = parse(payload)
  if (!isRecord(json)) return bad("not an object")
  const unknown = Object.keys(json).find((key) => !["voters", "learners", "outgoing"].includes(key))
  if (unknown !== undefined) return bad(`the unknown key ${unknown}`)
  const voters = readMembers(json, "voters", isConfigurationMember)
  const learners = readMembers(json, "learners", isLearner)
  const outgoing = readMembers(json, "outgoing", isConfigurationMember)
  if (typeof voters === "string") return bad(voters)
  if (typeof learners === "string") return bad(learners)
  if (typeof outgoing === "string") return bad(outgoing)
  if (voters === undefined) return bad("no voters")
  const twice = learners?.find(({ id }) => [...voters, ...(outgoing ?? [])].some((voter) => voter.id === id))
  if (twice !== undefined) return bad(`${twice.id} is both a learner and a voter`)
  const configuration = { voters, learners: learners ?? [], ...(outgoing === undefined ? {} : { outgoing }) }
  return { _tag: "Configuration", configuration }
}

const bad = (found: string): BadConfiguration => ({ _tag: "BadConfiguration", found })

/** Parses JSON. Returns undefined if the payload is not JSON, since no JSON text means undefined. */
const parse = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload))
  } catch {
    return undefined
  }
}

/** Reads the members under `key`. Returns undefined if there is no such key, or a string that says what is wrong. */
const readMembers = <M extends ConfigurationMember>(
  json: Readonly<Record<string, unknown>>,
  key: string,
  isKind: (item: unknown) => item is M
): ReadonlyArray<M> | undefined | string => {
  const list = json[key]
  if (list === undefined) return undefined
  if (!Array.isArray(list) || list.length === 0) return `${key} is not a list of at least one`
  if (list.length > membersMaxCount) return `${list.length} ${key} where at most ${membersMaxCount} may be`
  const members: Array<M> = []
  for (const item of list as ReadonlyArray<unknown>) {
    if (!isKind(item)) return `${key}[${members.length}] is no member, or has other keys`
    if (members.some(({ id }) => id === item.id)) return `${key}[${members.length}] repeats the id ${item.id}`
    members.push(item)
  }
  return members
}

const isConfigurationMember = (value: unknown): value is ConfigurationMember => isNamed(value, 3)

const isLearner = (value: unknown): value is Learner => isNamed(value, 4) && typeof value.autoPromote === "boolean"

const isNamed = (value: unknown, keysCount: number): value is ConfigurationMember & Record<string, unknown> =>
  isRecord(value) &&
  Object.keys(value).length === keysCount + Number("start" in value) &&
  (!("start" in value) || isStart(value.start)) &&
  ["id", "address", "instanceId"].every((key) => Object.hasOwn(value, key) && typeof value[key] === "string") &&
  value.id !== ""

const isStart = (value: unknown): value is Start =>
  isRecord(value) &&
  Object.keys(value).length === 2 &&
  Number.isSafeInteger(value.life) &&
  typeof value.nonce === "string" &&
  value.nonce !== ""

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
