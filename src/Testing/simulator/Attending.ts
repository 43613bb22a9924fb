/**
 * Readers of a simulated cluster with rules who follow: a stream of changes, and a live query, at one node after another.
 * Whatever they are told they may read at that moment, and once nothing is left to be told they have all that they may
 * read. A reader whose connection breaks off goes on by the id of its last event, as clients do.
 */
import { Cause, Effect, Exit, Result } from "effect"
import { idOf } from "../../Access/Caller.ts"
import * as Follower from "../../Changes/Follower.ts"
import { formatPosition, groupOf, nothingShown, type Position, parsePosition } from "../../Changes/Position.ts"
import { continues, viewOf } from "../../Changes/View.ts"
import { identityOf } from "../../Live/LiveRequest.ts"
import * as Reach from "../../Live/Reach.ts"
import type { EncodedRecord } from "../../Model/EncodedRecord.ts"
import { type Problem, problem } from "../../Problem.ts"
import { fail } from "./Failure.ts"
import { listedBy, textOf } from "./Looks.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import { shownTo } from "./Papers.ts"
import { judging, logOf, servedBy } from "./Served.ts"
import type { Attending, Live, Sight, Visitor } from "./SightState.ts"
import * as Truth from "./SightTruth.ts"
import { noteTrace, type World } from "./World.ts"

/** A reader goes to a node, and leaves the one where it was. */
export const attend = (world: World, sight: Sight, node: SimulatedNode, life: Life, visitor: Visitor): void => {
  leave(visitor)
  const { ruled } = sight.truth
  const descriptors = visitor.models.map((model) => ruled.byName[model])
  const parsed = visitor.position === undefined ? undefined : parsePosition(visitor.position)?.position
  // The node waits until it has what the reader has seen.
  if (parsed !== undefined && parsed.index > life.appliedIndex) return
  const viewNow = () =>
    Result.mapError(viewOf(judging(ruled, life), visitor.reader, descriptors), (denied) => denied.toProblem())
  const view = viewNow()
  if (Result.isFailure(view)) return void startOver(sight, visitor)
  if (parsed !== undefined && !continues(view.success, parsed)) return void startOver(sight, visitor)
  const group = groupOf(descriptors)
  const served = servedBy(world, sight, node, life)
  const follower = Effect.runSyncExit(
    Follower.make({
      log: logOf(world, node, served),
      group,
      view: view.success,
      position: parsed ?? { index: life.appliedIndex, shown: nothingShown(group) },
      isNewState: parsed === undefined,
      viewNow,
      gone: (why) => problem("changes-gone", why, { oldestIndex: 0, restart: "" }),
      enterState: Effect.succeed(Effect.void)
    })
  )
  if (Exit.isFailure(follower)) return void ended(sight, visitor, follower.cause)
  if (visitor.position !== undefined) sight.counts.moves++
  visitor.at = { served, follower: follower.value, live: undefined }
}

/** The connection of a reader ends. */
export const leave = (visitor: Visitor): void => {
  visitor.at?.live?.reader.close()
  visitor.at = undefined
}

/** The reader forgets what it has: its changes are gone, or it may read other records now, or none. */
const startOver = ({ counts }: Sight, visitor: Visitor): void => {
  leave(visitor)
  counts.startsOver++
  visitor.position = undefined
  visitor.picture.clear()
}

const ended = (sight: Sight, visitor: Visitor, cause: Cause.Cause<Problem>): void => {
  const reason = cause.reasons.find((each) => each._tag === "Fail")
  if (reason?._tag !== "Fail") fail(`a follower died: ${Cause.pretty(cause)}`)
  const { kind } = reason.error
  if (!["changes-gone", "forbidden", "unauthenticated"].includes(kind)) fail(`a follower ended with ${kind}`)
  startOver(sight, visitor)
}

/** What a reader hears next: of its changes at most so many, after which its connection breaks off; and its live page. */
export const hear = (
  world: World,
  sight: Sight,
  visitor: Visitor,
  { count, isBookmarked }: { readonly count: number; readonly isBookmarked: boolean }
): void => {
  const { at } = visitor
  if (at === undefined) return
  Truth.catchUp(sight.truth, world)
  hearLive(sight, visitor, at)
  const { follower, served } = at
  if (!follower.isReady() && !isBookmarked) return
  const step = Effect.runSyncExit(follower.step)
  if (Exit.isFailure(step)) return void ended(sight, visitor, step.cause)
  const { told } = step.value
  for (const each of told.slice(0, count)) take(sight, visitor, served.life.appliedIndex, each)
  if (told.length > count) return void leave(visitor)
  if (isBookmarked || step.value.end !== undefined) visitor.position = formatPosition(follower.position())
  noteTrace(world, [told.length, visitor.picture.size])
  if (!follower.isReady()) isWhole(sight, visitor, served.life.appliedIndex)
}

const nameOf = ({ reader }: Visitor): string => idOf(reader) ?? "nobody"

/** What is told must be in sight, by the rights at the entry that the node has applied. */
const take = (sight: Sight, visitor: Visitor, index: number, told: Follower.Step): void => {
  const { picture, reader } = visitor
  const { truth } = sight
  const { id, model } = told
  const key = `${model} ${id}`
  const what = `${nameOf(visitor)} is told ${told._tag} of ${key} at entry ${index}`
  visitor.position = formatPosition(told.position satisfies Position)
  sight.counts.told++
  if (told._tag === "Left" || told._tag === "Erased") {
    sight.counts.left++
    const wasSeen = picture.has(key) || Truth.wasSeen(truth, reader, { model, id, fromIndex: 0, toIndex: index })
    if (!wasSeen) fail(`${what}, which it never saw`)
    picture.delete(key)
    return
  }
  if (!Truth.isRuled(model)) fail(`${what}, which clients do not know`)
  const version = Truth.versionsOf(truth, { model, id }).find((each) => each.version === told.version)
  if (version === undefined) fail(`${what}, version ${told.version}, which never was`)
  if (!Truth.isSeen(truth, reader, { model, record: version.record, index })) fail(`${what}, which it may not read`)
  const text = textOf(shownTo(reader, version.record))
  if (textOf(told.record) !== text) fail(`${what} as ${textOf(told.record)}, and not ${text}`)
  if (told._tag === "Change" && told.type === "deleted") picture.delete(key)
  else picture.set(key, { version: told.version, record: told.record })
}

const pairsOf = (entries: Iterable<readonly [string, number, string]>): string =>
  [...entries]
    .map((pair) => pair.join(" "))
    .sort()
    .join()

/** Once nothing is left to be told, the reader has all that it may read, and nothing else. */
const isWhole = (sight: Sight, { models, picture, reader }: Visitor, index: number): void => {
  const seen = models.flatMap((model) =>
    Array.from(Truth.seenAt(sight.truth, reader, model, index), ([id, { record, version }]) => {
      return [`${model} ${id}`, version, textOf(shownTo(reader, record))] as const
    })
  )
  const had = pairsOf(Array.from(picture, ([key, { record, version }]) => [key, version, textOf(record)] as const))
  const expected = pairsOf(seen)
  if (had !== expected)
    fail(`${idOf(reader) ?? "nobody"} has ${had} by following to entry ${index}, and not ${expected}`)
}

/** A live query as LiveQueries.ts keeps it: it is opened again when its reader may read other records. */
const hearLive = (sight: Sight, visitor: Visitor, at: Attending): void => {
  const { ruled } = sight.truth
  const { engine, life, rightsAt } = at.served
  const request = { ...visitor.query, descriptor: ruled.byName.Paper, select: undefined, after: undefined }
  if (engine.isDirty()) for (const _ of engine.evaluate());
  if (at.live === undefined || at.live.rightsAt !== rightsAt) {
    const restricted = Reach.restricted(judging(ruled, life), visitor.reader, request)
    const identity = Result.isSuccess(restricted) ? identityOf(restricted.success) : undefined
    if (at.live !== undefined) at.live.rightsAt = rightsAt
    if (at.live === undefined || at.live.identity !== identity) {
      at.live?.reader.close()
      const opened = Result.isSuccess(restricted) ? engine.open(restricted.success, () => {}) : undefined
      if (opened !== undefined && Result.isFailure(opened)) fail(`a live query is refused: ${opened.failure._tag}`)
      at.live = opened === undefined ? undefined : { reader: opened.success, identity: identity!, rightsAt, page: [] }
    }
  }
  const expected = listedBy(sight, visitor.reader, { model: "Paper", index: life.appliedIndex, list: visitor.query })
  const what = `${nameOf(visitor)} at entry ${life.appliedIndex}`
  if (at.live === undefined) {
    if (expected.total > 0) fail(`${what} has no live page of papers, and may read ${expected.total}`)
    return
  }
  sight.counts.pages++
  const page = pageAfter(at.live)
  at.live.page = page
  const found = page.map(({ text, version }) => `${version} ${textOf(JSON.parse(text) as EncodedRecord)}`).join()
  const right = expected.items
    .map(({ record, version }) => `${version} ${textOf(shownTo(visitor.reader, record))}`)
    .join()
  if (found !== right) fail(`${what} has the live page ${found}, and not ${right}`)
}

/** The page of a reader with what it lacks. */
const pageAfter = ({ page, reader }: Live): Live["page"] => {
  const update = reader.next()
  if (update === undefined) return page
  const itemOf = ({
    stamp,
    text
  }: {
    readonly stamp: { readonly id: string; readonly version: number }
    readonly text: string
  }) => ({
    ...stamp,
    text
  })
  switch (update._tag) {
    case "Page":
      return update.items.map(itemOf)
    case "Diff": {
      const gone = new Set([...update.remove, ...update.put.map(({ item }) => item.stamp.id)])
      const items = page.filter(({ id }) => !gone.has(id))
      for (const { after, item } of update.put)
        items.splice(items.findIndex(({ id }) => id === after) + 1, 0, itemOf(item))
      return items
    }
    default:
      return fail(`a live query ends: ${update._tag}`)
  }
}
