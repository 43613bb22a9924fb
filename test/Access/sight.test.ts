/**
 * No row, field, count, change or live page shows what its reader may not see, and all that it may see is there: random
 * rules, sets, writers and readers on a cluster, held against a judge of its own (RandomRules.ts). docs/access.md.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schema, Stream } from "effect"
import type { HttpMethod } from "effect/http/HttpMethod"
import { HttpApiSecurity } from "effect/http-api"
import * as Access from "../../src/Access.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import {
  drawReaders,
  drawRule,
  holds,
  type Judged,
  kinds,
  type Reader,
  type Sets,
  teams,
  userIds
} from "../../src/Testing/simulator/RandomRules.ts"
import { TestCluster } from "../../src/Testing.ts"
import { seeded } from "../Machine/Seeded.ts"
import { ask } from "./Notes.ts"

type Field = keyof Judged | "n" | "mark" | "secret"

/** An application with random rules, and what they are. */
const drawApplication = (seed: number) => {
  const random = seeded(seed)
  const rule = () => drawRule(random)
  const actions = { read: rule(), create: Access.signedIn, update: rule(), delete: rule() }
  class Member extends Model.Class<Member>("Member")(
    { id: Model.id(Schema.String), userId: Model.replicate(Schema.String), team: Schema.String },
    { indexes: ["userId"], http: false }
  ) {}
  class Item extends Model.Class<Item>("Item")(
    {
      id: Model.id(Schema.String),
      ownerId: Model.owner,
      team: Model.replicate(Schema.NullOr(Schema.String)),
      kind: Schema.String,
      n: Schema.Int,
      mark: Model.masked(Schema.String, { roles: ["auditor"], initial: "MARK" }),
      secret: Model.hidden(Schema.String, { initial: "SECRET" })
    },
    { indexes: ["team", "kind"], access: Access.rules<Field>(() => actions, { scan: true }) }
  ) {}
  const who: Access.Authenticator = {
    _tag: "Authenticator",
    name: "who",
    security: HttpApiSecurity.apiKey({ key: "x-who", in: "header" }),
    authenticate: (credential) => Effect.succeed(JSON.parse(Redacted.value(credential)))
  }
  const auth = { authenticators: [who], sets: { teams: Access.set(Member, "userId", "team") } } as const
  return { random, actions, Item, Member, application: { models: [Member, Item], auth, seed } }
}

type Drawn = ReturnType<typeof drawApplication>
type Row = Drawn["Item"]["prototype"]

/** A version of a record as the application itself sees it. */
interface Version {
  readonly row: Row
  readonly isLast: boolean
}

/** What one reader has by following, and all that it was told since the last look. */
interface Following {
  readonly picture: Map<string, { readonly version: number; readonly row: Row }>
  told: Array<{
    readonly type: string
    readonly id: string
    readonly version: number | undefined
    readonly wasThere: boolean
  }>
  page: ReadonlyArray<{ readonly row: Row; readonly version: number }>
}

const as = (reader: Reader) => {
  const { _tag, ...who } = reader as Access.Principal
  return reader._tag === "Anonymous" ? {} : { headers: { "x-who": JSON.stringify(who) } }
}

const simulate = Effect.fnUntraced(function* ({ actions, Item, Member, random }: Drawn) {
  const { below, pick } = random
  const readers = drawReaders(random)
  const own = (yield* Repository.Repository).records
  /** By id, by version: all that ever was. */
  const versions = new Map<string, Map<number, Version>>()
  let sets: Sets = new Map()
  /** The sets since the last look: what was told was told under one of them. */
  let recent: Array<Sets> = [sets]
  const members = new Map<string, { readonly userId: string; readonly team: string }>()

  const isSeen = (reader: Reader, row: Row, of: Sets): boolean => holds(actions.read, reader, row as Judged, of)
  const isEverSeen = (reader: Reader, id: string): boolean =>
    [...(versions.get(id)?.values() ?? [])].some(({ row }) => recent.some((of) => isSeen(reader, row, of)))

  yield* Effect.forkScoped(
    Stream.runForEach(own(Item).changes({ after: "0" }), (told) =>
      Effect.sync(() => {
        if (!("row" in told)) return
        const of = versions.get(told.id) ?? new Map<number, Version>()
        versions.set(told.id, of.set(told.version, { row: told.row, isLast: told.type === "deleted" }))
      })
    )
  )

  const follow = Effect.fnUntraced(function* (reader: Reader) {
    const has: Following = { picture: new Map(), told: [], page: [] }
    const { records } = yield* Repository.as(reader)
    let position: string | undefined
    const take = (each: Repository.Told<typeof Item>): void => {
      position = each.position
      if (each.type === "bookmark") return
      const wasThere = has.picture.has(each.id)
      has.told.push({ type: each.type, id: each.id, version: "version" in each ? each.version : undefined, wasThere })
      if ("row" in each && each.type !== "deleted") has.picture.set(each.id, { version: each.version, row: each.row })
      else has.picture.delete(each.id)
    }
    /** Goes on where it was, and starts over if it must. */
    const running: Effect.Effect<void> = Effect.suspend(() =>
      Stream.runForEach(
        records(Item).changes(position === undefined ? { initial: true } : { after: position }),
        (each) => Effect.sync(() => take(each))
      )
    ).pipe(
      Effect.catch((met) =>
        Effect.sync(() => {
          // It may read nothing now, or its rights are others than they were.
          assert.include(["changes-gone", "forbidden", "unauthenticated"], (met as { readonly kind?: string }).kind)
          position = undefined
          has.picture.clear()
        })
      ),
      Effect.andThen(Effect.sleep("50 millis")),
      Effect.andThen(Effect.suspend(() => running))
    )
    let fiber = yield* Effect.forkScoped(running)
    const breakOff = Effect.gen(function* () {
      yield* Fiber.interrupt(fiber)
      fiber = yield* Effect.forkScoped(running)
    })
    const setPage = (items: Following["page"]) =>
      Effect.sync(() => {
        has.page = items
      })
    const living: Effect.Effect<void> = Effect.suspend(() =>
      Stream.runForEach(records(Item).live({ limit: 1_000 }), ({ items }) => setPage(items))
    ).pipe(
      Effect.catch(() => setPage([])),
      Effect.andThen(Effect.sleep("50 millis")),
      Effect.andThen(Effect.suspend(() => living))
    )
    yield* Effect.forkScoped(living)
    return { has, breakOff }
  })
  const following = yield* Effect.forEach(readers, follow)

  const shown = (reader: Reader, row: Row): object => {
    const { mark, secret: _, ...others } = { ...row }
    const isAuditor = reader._tag === "Principal" && reader.roles.includes("auditor")
    return isAuditor ? { ...others, mark } : others
  }

  const get = (reader: Reader, path: string) => ask("GET", path, as(reader))

  /** Everything that a reader can read, held against the judge. */
  const look = Effect.fnUntraced(function* (where: string) {
    yield* Effect.sleep("1 second")
    const all = (yield* own(Item).list({ limit: 1_000 })).items
    for (const [at, reader] of readers.entries()) {
      const here = `${where}, reader ${at}`
      const seen = new Map(
        all.flatMap(({ row, version }) => (isSeen(reader, row, sets) ? [[row.id, { row, version }]] : []))
      )
      const expected = [...seen.values()].map(({ row }) => shown(reader, row))
      const byId = (items: ReadonlyArray<object>) =>
        items.map((row) => ({ ...row }) as Row).sort((left, right) => (left.id < right.id ? -1 : 1))

      const list = yield* get(reader, "/api/items?count=exact&limit=1000&order=n.desc")
      if (list.status !== 200) assert.strictEqual(seen.size, 0, `${here}: ${list.status}`)
      else assert.deepStrictEqual([byId(list.body.items), list.body.total], [byId(expected), seen.size], here)
      const isAuditor = reader._tag === "Principal" && reader.roles.includes("auditor")
      const byMark = yield* get(reader, "/api/items?mark=eq.MARK")
      if (list.status === 200) assert.strictEqual(byMark.status, isAuditor ? 200 : 400, here)

      for (const [id, of] of versions) {
        const one = yield* get(reader, `/api/items/${id}`)
        const present = seen.get(id)
        if (present === undefined) assert.include([401, 403, 404], one.status, `${here}, ${id}`)
        else assert.deepStrictEqual([one.status, one.body], [200, shown(reader, present.row)], `${here}, ${id}`)
        const past = yield* get(reader, `/api/items/${id}/history?limit=1000`)
        const newest = [...of.values()].at(-1)!
        if (!isSeen(reader, newest.row, sets)) assert.include([401, 403, 404], past.status, `${here}, history of ${id}`)
        else {
          const readable = [...of].filter(([, { row }]) => isSeen(reader, row, sets))
          assert.deepStrictEqual(
            past.body.items.map(({ data, version }: { data: object; version: number }) => [version, data]),
            readable.map(([version, { row }]) => [version, shown(reader, row)]),
            `${here}, history of ${id}`
          )
        }
        const [version] = [...of.keys()]
        const then = yield* get(reader, `/api/items/${id}?at=${version}`)
        const first = of.get(version!)!
        const isReadable = isSeen(reader, newest.row, sets) && isSeen(reader, first.row, sets)
        assert.strictEqual(then.status === 200, isReadable, `${here}, ${id} at ${version}: ${then.status}`)
        if (isReadable) assert.deepStrictEqual(then.body, shown(reader, first.row), `${here}, ${id} at ${version}`)
      }

      const { has } = following[at]!
      const pairs = (items: ReadonlyArray<{ readonly row: Row; readonly version: number }>) =>
        items
          .map(({ row, version }) => [row.id, version, JSON.stringify(shown(reader, row))] as const)
          .sort(([left], [right]) => (left < right ? -1 : 1))
      assert.deepStrictEqual(pairs([...has.picture.values()]), pairs([...seen.values()]), `${here}: what it followed`)
      assert.deepStrictEqual(pairs(has.page), pairs([...seen.values()]), `${here}: its live page`)
      const rows = [...has.picture.values(), ...has.page].map(({ row }) => JSON.stringify(row)).join()
      assert.notInclude(rows, "SECRET", here)
      if (!isAuditor) assert.notInclude(rows, "MARK", here)
      for (const { id, type, version, wasThere } of has.told) {
        const told = `${here} was told ${type} ${id} ${version}`
        if (version !== undefined) {
          const { row } = versions.get(id)!.get(version)!
          assert.isTrue(
            recent.some((of) => isSeen(reader, row, of)),
            told
          )
        } else assert.isTrue(wasThere || isEverSeen(reader, id), told)
      }
      has.told = []
    }
    recent = [sets]
  })

  const change = Effect.fnUntraced(function* () {
    const id = `i${below(8)}`
    const team = pick([...teams, null])
    const body = { team, kind: pick(kinds), n: below(100) }
    const writer = pick([...readers] as [Reader, ...Array<Reader>])
    const send = (method: HttpMethod, path: string, body?: unknown) => ask(method, path, { ...as(writer), body })
    switch (below(9)) {
      case 0:
        return void (yield* send("POST", "/api/items", { id, ...body }))
      case 1:
        return void (yield* send("PATCH", `/api/items/${id}`, { team }))
      case 2:
        return void (yield* send("DELETE", `/api/items/${id}`))
      case 3: {
        const ops = Array.from({ length: 1 + below(4) }, () => ({
          op: "patch",
          model: "Item",
          id: pick([id, `i${below(8)}`]),
          data: pick<object>([{ team: pick(teams) }, { kind: pick(kinds) }, { n: below(100) }])
        }))
        return void (yield* send("POST", "/api/_tx", { ops }))
      }
      case 4:
      case 5: {
        const key = `m${below(4)}`
        const held = members.get(key)
        const member = { userId: pick(userIds), team: pick(teams) }
        if (held === undefined) yield* Effect.orDie(own(Member).create({ id: key, ...member }))
        else yield* Effect.orDie(own(Member).delete(key))
        if (held === undefined) members.set(key, member)
        else members.delete(key)
        const next = new Map<string, ReadonlyArray<string>>()
        for (const { team, userId } of members.values()) next.set(userId, [...(next.get(userId) ?? []), team])
        sets = next
        recent.push(next)
        return
      }
      case 6: {
        const { breakOff } = following[below(following.length)]!
        return yield* breakOff
      }
      default: {
        const row = { id, ownerId: pick([...userIds, null]), ...body }
        yield* Effect.ignore(below(4) === 0 ? own(Item).delete(id) : own(Item).create(row as never))
        yield* Effect.ignore(own(Item).patch(id, { team, kind: body.kind, n: body.n }))
      }
    }
  })

  for (let step = 1; step <= 48; step++) {
    yield* change()
    // Some changes come while nothing is settled yet.
    if (below(2) === 0) yield* Effect.sleep(`${below(30)} millis`)
    if (step % 8 === 0) yield* look(`step ${step}`)
  }
})

describe("what a reader sees", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it.effect(
      `is what its rules allow, by every way to read (seed ${seed})`,
      () =>
        Effect.gen(function* () {
          const drawn = drawApplication(seed)
          const run = Effect.flatMap(TestCluster, ({ on }) => on("n2", Effect.scoped(simulate(drawn))))
          yield* Effect.provide(run, TestCluster.layer(drawn.application))
        }),
      { timeout: 120_000 }
    )
  }
})
