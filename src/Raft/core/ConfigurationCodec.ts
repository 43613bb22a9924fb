/**
 * The payload of a configuration entry: JSON, as in `{"voters":[{"id":…,"address":…,"instanceId":…}]}`, with `learners`
 * where there are some, and `outgoing` while the configuration is joint. Pure. §6.
 */
import type { Configuration, ConfigurationMember, Learner } from "./Configuration.ts"

/** Why a payload is no configuration. */
export interface BadConfiguration {
  readonly _tag: "BadConfiguration"
  readonly found: string
}

/** Of voters, of learners, and of outgoing voters alike. */
export const membersMaxCount = 64

/** Keys in a fixed order, and none that says nothing, so that equal configurations are equal bytes. */
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

const plain = ({ address, id, instanceId }: ConfigurationMember): ConfigurationMember => ({ id, address, instanceId })

/**
 * The configuration in a payload, or why it is none. A key that this code does not know is refused, not ignored: it may
 * be a kind of member without which quorums would be counted wrongly.
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

/** Undefined stands for what is not JSON: no JSON text means it. */
const parse = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload))
  } catch {
    return undefined
  }
}

/** The members under `key`; undefined if there is no such key, or what is wrong with them. */
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
  Object.keys(value).length === keysCount &&
  ["id", "address", "instanceId"].every((key) => Object.hasOwn(value, key) && typeof value[key] === "string") &&
  value.id !== ""

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
