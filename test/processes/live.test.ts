/** Two windows of a real browser on two nodes show the same lists, while the leader dies. docs/live.md, examples/live. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { startChromium, type Tab } from "../support/Chromium.ts"
import { eventually, expectThat, leaderOf, listAll, startCluster, type TestNode } from "./Processes.ts"

const script = fileURLToPath(new URL("../../examples/live.ts", import.meta.url))

/** The titles that a window shows, open ones and done ones. */
const shownIn = (tab: Tab) =>
  tab.evaluate<readonly [ReadonlyArray<string>, ReadonlyArray<string>]>(
    `["open", "done"].map((id) => [...document.getElementById(id).children].map((item) => item.textContent))`
  )

const nodeOf = (tab: Tab) => tab.evaluate<string>(`document.querySelector("#status").textContent.split(" at ")[0]`)

/** What the page should show, by a list of a node. */
const listedBy = Effect.fnUntraced(function* (node: TestNode) {
  const tasks = (yield* listAll(node, "tasks")).toSorted((a, b) => (String(a.title) < String(b.title) ? -1 : 1))
  const titles = (isDone: boolean) =>
    tasks
      .filter((task) => task.isDone === isDone)
      .map(({ title }) => String(title))
      .slice(0, 20)
  return [titles(false), titles(true)]
})

/** Waits until each window shows the lists of a node. */
const showsList = (tabs: ReadonlyArray<Tab>, node: TestNode) => {
  let said = ""
  return eventually(
    () => `every window shows the lists: ${said}`,
    Effect.gen(function* () {
      const expected = JSON.stringify(yield* listedBy(node))
      const shown = yield* Effect.forEach(tabs, shownIn)
      said = `${expected} and ${JSON.stringify(shown)}`
      yield* expectThat(
        shown.every((each) => JSON.stringify(each) === expected),
        "the windows are right"
      )
    }),
    60_000
  )
}

/** A user's changes in a window. */
const add = (tab: Tab, title: string) =>
  tab.evaluate(
    `{ const form = document.querySelector("form"); form.title.value = ${JSON.stringify(title)}; form.requestSubmit() }`
  )
const click = (tab: Tab, title: string) =>
  tab.evaluate(
    `[...document.querySelectorAll("li")].find((item) => item.textContent === ${JSON.stringify(title)}).click()`
  )

describe("live queries in a browser", () => {
  it.live(
    "two windows on different nodes stay equal while the leader dies",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], undefined, script)
        const browser = yield* startChromium
        const leader = yield* leaderOf(nodes)
        const [follower, third] = nodes.filter((node) => node !== leader)
        assert.isDefined(follower)
        assert.isDefined(third)
        const onLeader = yield* browser.open(`${leader.url}/`)
        const onFollower = yield* browser.open(`${follower.url}/`)
        const tabs = [onLeader, onFollower]
        yield* eventually(
          "both windows follow their nodes",
          Effect.flatMap(Effect.forEach(tabs, nodeOf), (at) =>
            expectThat(at[0] === leader.url && at[1] === follower.url, `they follow ${at}`)
          )
        )
        for (const at of [1, 2, 3, 4, 5]) yield* add(tabs[at % 2]!, `task ${at}`)
        yield* eventually(
          "five tasks are there",
          Effect.flatMap(listedBy(third), ([open]) => expectThat(open?.length === 5, "all are added"))
        )
        yield* showsList(tabs, third)
        yield* click(onFollower, "task 2")
        yield* showsList(tabs, third)

        // Changes go on while the leader dies: from another node, and in the window whose node dies.
        const write = (at: number) =>
          third
            .request("POST", "/api/tasks", {
              body: { title: `while it dies ${at}`, isDone: at % 3 === 0 },
              headers: { "idempotency-key": `while-${at}` },
              timeoutMs: 5_000
            })
            .pipe(
              Effect.filterOrFail(
                ({ status }) => status === 201,
                ({ body, status }) => new Error(`a write was answered ${status}: ${JSON.stringify(body)}`)
              ),
              Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 400 })
            )
        const writes = Effect.forEach(
          Array.from({ length: 12 }, (_, at) => at),
          write,
          { discard: true }
        )
        const dies = Effect.andThen(write(100), leader.stop("SIGKILL"))
        yield* Effect.all([writes, Effect.andThen(dies, add(onLeader, "after its node died"))], { concurrency: 2 })
        yield* eventually(
          "all changes are there",
          Effect.flatMap(listAll(third, "tasks"), (all) => expectThat(all.length === 19, `19 tasks, not ${all.length}`))
        )
        yield* showsList(tabs, third)
        assert.notStrictEqual(yield* nodeOf(onLeader), leader.url)
      }).pipe(Effect.scoped),
    120_000
  )
})
