/**
 * Compares the states of the members, by their state hashes at equal indexes. Pure but for the data that it owns. Every
 * second the leader sends all members the hash of its state at the last applied entry. Every member sends its own hash
 * at that entry to all. So each member judges for itself, and trusts no other.
 *
 * Only hashes of one definition are compared. The log is the same on all members (Log Matching), so a member that
 * differs from a majority has a wrong state. Without a majority that agrees, nobody knows which member is wrong.
 */
import { type Configuration, isMember, membersOf, votersOf } from "./Configuration.ts"
import type { NodeId } from "./Message.ts"
import * as Quorum from "./Quorum.ts"
import type { State } from "./State.ts"

/** How often a leader asks. */
export const compareEveryMs = 1_000
/** A node that hears no leader for this long is not asked. */
const unaskedAfterMs = 4 * compareEveryMs
/** The number of entries whose hashes are kept. A member that lags further behind is compared once it has caught up. */
const hashesMaxCount = 4_096
/** The number of rounds that are kept. Reports for older rounds come too late. */
const roundsMaxCount = 16

/** A member's report of its state at an entry, in a round that the leader of `term` began. */
export interface StateReport {
  readonly _tag: "StateReport"
  readonly term: number
  readonly round: number
  readonly index: number
  readonly definition: number
  /** In hexadecimal. */
  readonly hash: string
}

/**
 * Members whose states differ at one index, and those among them that differ from a majority. Without a majority these
 * are none.
 */
export interface Difference {
  readonly index: number
  readonly members: ReadonlyArray<{ readonly id: NodeId; readonly definition: number; readonly hash: string }>
  readonly outliers: ReadonlyArray<NodeId>
}

/** The order of rounds: by the term of the leader, then by the leader's count. */
interface RoundName {
  readonly term: number
  readonly number: number
}

interface Round extends RoundName {
  readonly index: number
  readonly said: Map<NodeId, StateReport>
}

/** The comparison on one node, which owns it. */
export interface Comparing {
  readonly nodeId: NodeId
  /** At index modulo {@link hashesMaxCount}: the index, and the four lanes of its hash. */
  readonly indexes: Float64Array
  readonly hashes: Uint32Array
  rounds: Array<Round>
  /** The configuration that judged the rounds. Another one judges rounds of its own. */
  configuration: Configuration | undefined
  nextRound: number
  /** The newest round that has a result. Later reports for older rounds are ignored. */
  concluded: RoundName
  /** The time of this node's next question, as the leader of that term. */
  term: number
  dueMs: number
  /** The newest difference that is not settled. */
  difference: Difference | undefined
  /** Whether this node has differed from a majority, and not agreed with one since. */
  isSuspect: boolean
  /** The state was restored or made anew, and nobody has judged it since. */
  isAnew: boolean
  /** Since when it waits for that, as far as this was looked at. */
  anewSinceMs: number | undefined
}

export const make = (nodeId: NodeId): Comparing => ({
  nodeId,
  indexes: new Float64Array(hashesMaxCount),
  hashes: new Uint32Array(4 * hashesMaxCount),
  rounds: [],
  configuration: undefined,
  nextRound: 1,
  concluded: { term: 0, number: 0 },
  term: 0,
  dueMs: 0,
  difference: undefined,
  isSuspect: false,
  isAnew: false,
  anewSinceMs: undefined
})

/** The entry at `index` is applied, and `hash` is the hash of the state after it. */
export const applied = (comparing: Comparing, index: number, hash: Uint32Array): void => {
  const at = index % hashesMaxCount
  comparing.indexes[at] = index
  comparing.hashes.set(hash, 4 * at)
}

/** The machine's state was replaced, by a restore or a rebuild. Earlier hashes and reports say nothing about it. */
export const replaced = (comparing: Comparing): void => {
  comparing.indexes.fill(0)
  comparing.rounds = []
  comparing.isAnew = true
  comparing.anewSinceMs = undefined
}

/**
 * Time passes. A suspect state that was made anew waits for a leader to ask whether it is right. Where there is none it is
 * believed: this may be the only node that can lead, for its log may be the longest of all. The next leader asks again.
 */
export const passed = (
  comparing: Comparing,
  { leaderHeardMs, nowMs }: Pick<State, "leaderHeardMs" | "nowMs">
): void => {
  if (!comparing.isAnew) return
  comparing.anewSinceMs ??= nowMs
  const unaskedMs = nowMs - Math.max(comparing.anewSinceMs, leaderHeardMs ?? 0)
  if (unaskedMs >= unaskedAfterMs) comparing.isSuspect = false
}

/** The current state of this node. `index` is 0 while there is nothing to report. */
export interface Now {
  readonly appliedIndex: number
  readonly hash: Uint32Array
  readonly definition: number
}

/** The reports that a leader sends to all, when it is time to ask again. A new leader waits first. */
export const tick = (
  comparing: Comparing,
  { nowMs, term }: { readonly nowMs: number; readonly term: number },
  now: Now
): StateReport | undefined => {
  if (comparing.term !== term) {
    comparing.term = term
    comparing.dueMs = nowMs + compareEveryMs
  }
  if (nowMs < comparing.dueMs || now.appliedIndex === 0) return undefined
  comparing.dueMs = nowMs + compareEveryMs
  const round = { term, number: comparing.nextRound++, index: now.appliedIndex, said: new Map<NodeId, StateReport>() }
  remember(comparing, round)
  return say(comparing, round, now)
}

/** Takes a member's report. */
export const received = (comparing: Comparing, from: NodeId, report: StateReport): void => {
  const { index, round: number, term } = report
  if (isBefore({ term, number }, comparing.concluded)) return
  let round = comparing.rounds.find((each) => each.term === term && each.number === number)
  if (round === undefined) {
    round = { term, number, index, said: new Map() }
    remember(comparing, round)
  }
  if (round.index === index) round.said.set(from, report)
}

const isBefore = (one: RoundName, other: RoundName): boolean =>
  one.term < other.term || (one.term === other.term && one.number < other.number)

const conclude = (comparing: Comparing, round: Round): void => {
  comparing.concluded = round
  comparing.rounds = comparing.rounds.filter((each) => !isBefore(each, round))
}

const remember = (comparing: Comparing, round: Round): void => {
  comparing.rounds = [...comparing.rounds, round].slice(-roundsMaxCount)
}

/** The reports that this node owes all members: those of rounds whose index it has applied by now. */
export const due = (comparing: Comparing, now: Now): ReadonlyArray<StateReport> =>
  comparing.rounds.flatMap((round) => {
    if (round.said.has(comparing.nodeId) || round.index > now.appliedIndex) return []
    const report = say(comparing, round, now)
    return report === undefined ? [] : [report]
  })

const say = (comparing: Comparing, round: Round, now: Now): StateReport | undefined => {
  const { index, number, term } = round
  const hash = hashAt(comparing, index, now)
  if (hash === undefined) return undefined
  const report: StateReport = { _tag: "StateReport", term, round: number, index, definition: now.definition, hash }
  round.said.set(comparing.nodeId, report)
  return report
}

/**
 * The hash at `index`. At the last applied index it asks the state itself, which may have changed since without an
 * entry.
 */
const hashAt = (comparing: Comparing, index: number, now: Now): string | undefined => {
  const at = index % hashesMaxCount
  if (index === now.appliedIndex) return toHex(now.hash)
  return comparing.indexes[at] === index ? toHex(comparing.hashes.subarray(4 * at, 4 * at + 4)) : undefined
}

const toHex = (hash: Uint32Array): string => Array.from(hash, (lane) => lane.toString(16).padStart(8, "0")).join("")

/** The result of a comparison: news for operators, and whether this node may trust its own state. */
export type Verdict =
  | { readonly _tag: "Differs"; readonly difference: Difference }
  | { readonly _tag: "Agrees"; readonly index: number }

/** Judges the reports so far. Undefined if there is nothing new. */
export const judge = (comparing: Comparing, configuration: Configuration): Verdict | undefined => {
  if (comparing.configuration !== configuration) judgeAnew(comparing, configuration)
  let verdict: Verdict | undefined
  for (const round of comparing.rounds) verdict = judgeRound(comparing, configuration, round) ?? verdict
  if (comparing.isSuspect && isAlone(comparing, configuration)) comparing.isSuspect = false
  return verdict
}

/**
 * Members changed. A majority of the new ones may be one that the former majority outvoted, so its old reports must not
 * count again.
 */
const judgeAnew = (comparing: Comparing, configuration: Configuration): void => {
  if (comparing.configuration !== undefined) {
    for (const { number, term } of comparing.rounds) {
      const next = { term, number: number + 1 }
      if (isBefore(comparing.concluded, next)) comparing.concluded = next
    }
    comparing.rounds = []
  }
  comparing.configuration = configuration
}

/** Whether no voter with a right state is left. The majority that judged is gone, and no leader asks any more. */
const isAlone = ({ difference, nodeId }: Comparing, configuration: Configuration): boolean => {
  const outliers = difference?.outliers ?? [nodeId]
  return votersOf(configuration).every(({ id }) => outliers.includes(id))
}

const judgeRound = (comparing: Comparing, configuration: Configuration, round: Round): Verdict | undefined => {
  const said = [...round.said].filter(([id]) => isMember(configuration, id))
  const agreed = said.find(([, one]) =>
    Quorum.isQuorum(configuration, (voter) => {
      const other = round.said.get(voter)
      return other !== undefined && isSame(one, other)
    })
  )?.[1]
  const own = round.said.get(comparing.nodeId)
  if (agreed !== undefined && own !== undefined && isSame(own, agreed)) comparing.isSuspect = false
  const isDifferent = said.some(([, one]) => said.some(([, other]) => isContrary(one, other)))
  const isWhole = membersOf(configuration).every(({ id }) => round.said.has(id))
  if (!isDifferent) {
    if (isWhole) conclude(comparing, round)
    return settle(comparing, configuration, round)
  }
  // A majority may still form until all members have reported, or the next round has begun.
  if (agreed === undefined && !isWhole && round === comparing.rounds.at(-1)) return undefined
  conclude(comparing, round)
  const outliers = agreed === undefined ? [] : said.flatMap(([id, one]) => (isContrary(one, agreed) ? [id] : []))
  if (outliers.includes(comparing.nodeId)) {
    comparing.isSuspect = true
    comparing.isAnew = false
  }
  const members = said.map(([id, { definition, hash }]) => ({ id, definition, hash }))
  const known = comparing.difference
  comparing.difference = { index: round.index, members, outliers }
  const isKnown = known !== undefined && isSameSet(known.outliers, outliers)
  return isKnown ? undefined : { _tag: "Differs", difference: comparing.difference }
}

/** A difference is settled once all members that took part in it agree. Former members do not count. */
const settle = (comparing: Comparing, configuration: Configuration, round: Round): Verdict | undefined => {
  const { difference } = comparing
  if (difference === undefined) return undefined
  const { members, outliers } = difference
  const concerned = outliers.length > 0 ? outliers : members.map(({ id }) => id)
  const isOver = concerned.every((id) => round.said.has(id) || !isMember(configuration, id))
  if (!isOver || round.said.size < 2) return undefined
  comparing.difference = undefined
  return { _tag: "Agrees", index: round.index }
}

const isSame = (one: StateReport, other: StateReport): boolean =>
  one.definition === other.definition && one.hash === other.hash

const isContrary = (one: StateReport, other: StateReport): boolean =>
  one.definition === other.definition && one.hash !== other.hash

const isSameSet = (one: ReadonlyArray<NodeId>, other: ReadonlyArray<NodeId>): boolean =>
  one.length === other.length && one.every((id) => other.includes(id))
