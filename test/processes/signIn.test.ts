/**
 * A visitor of the ticketing example signs in with a real browser: at the issuer, for a session that every node knows and
 * no script can read. examples/ticketing.
 */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startChromium, type Tab } from "../support/Chromium.ts"
import { startIssuer } from "./Issuer.ts"
import { eventually, expectThat, freePort, startCluster } from "./Processes.ts"

const script = fileURLToPath(new URL("../../examples/ticketing/main.ts", import.meta.url))
const show = { id: "00000000-0000-4000-8000-000000000001", title: "Hamlet", seats: 2 }

/** Waits until the page says so. A page that is being left says nothing. */
const says = (tab: Tab, pattern: RegExp) => {
  let said = ""
  return eventually(
    () => `the page says ${pattern}: ${said}`,
    Effect.gen(function* () {
      said = yield* tab.evaluate<string>("document.body.innerText")
      yield* expectThat(pattern.test(said), "the page says so")
    }),
    30_000
  )
}

/** Presses a button, once the page has it. */
const press = (tab: Tab, name: string) => {
  const find = `[...document.querySelectorAll("button")].find(({ textContent }) => textContent === "${name}")`
  return Effect.andThen(
    eventually(
      `the page has the button ${name}`,
      Effect.flatMap(tab.evaluate<boolean>(`${find} !== undefined`), (isThere) => expectThat(isThere, "it is there"))
    ),
    tab.evaluate(`${find}.click()`)
  )
}

describe("a visitor of ticketing", () => {
  it.live(
    "signs in at the issuer, buys, is known on each node, and signs out of all",
    () =>
      Effect.gen(function* () {
        const issuer = yield* startIssuer
        const nodes = yield* startCluster(
          ["node", "node", "node"],
          (port) =>
            // Without it the node would listen on its port + 1000 too, which may be taken.
            Effect.map(freePort, (adminPort) => ({
              TICKETING_ISSUER: issuer.url,
              TICKETING_ORIGINS: `http://127.0.0.1:${port}`,
              LITHAIR_ADMIN_LISTEN: `${adminPort}`
            })),
          script
        )
        const [first, second, third] = nodes
        const headers = { authorization: `Bearer ${yield* issuer.tokenOf("organizer")}` }
        const opened = yield* first!.request("POST", "/manage/api/shows", { body: show, headers })
        assert.strictEqual(opened.status, 201, JSON.stringify(opened.body))

        const browser = yield* startChromium
        const tab = yield* browser.open(`${first!.url}/`)
        yield* says(tab, /Sign in.*Hamlet, 2 seats/s)
        yield* press(tab, "Sign in")
        yield* says(tab, /Who are you\?/)
        yield* tab.evaluate(`document.querySelector("input").value = "ada"`)
        yield* press(tab, "Sign in")
        yield* says(tab, /You are ada/)
        assert.strictEqual(yield* tab.evaluate("location.href"), `${first!.url}/`, "the token leaves the address")
        assert.strictEqual(yield* tab.evaluate("document.cookie"), "", "no script reads the session")

        yield* press(tab, "Buy")
        yield* says(tab, /Hamlet, 1 seats.*for ada.*It is yours/s)

        // Cookies belong to a host, whatever its port: the other nodes are asked with the same one.
        const other = yield* browser.open(`${second!.url}/`)
        yield* says(other, /You are ada.*for ada/s)
        yield* first!.stop("SIGKILL")
        // Without a quorum nobody can say whether she bought it: the page asks again until somebody can.
        yield* third!.signal("SIGSTOP")
        yield* press(other, "Buy")
        yield* says(other, /asking again/)
        yield* third!.signal("SIGCONT")
        yield* says(other, /Hamlet, 0 seats.*It is yours/s)

        yield* press(other, "Sign out")
        yield* says(other, /Sign in.*Signed out/s)
        const last = yield* browser.open(`${third!.url}/`)
        yield* says(last, /^Tickets\s+Sign in/)
        // A link with somebody's token signs nobody in who has not asked for it.
        const link = yield* browser.open(`${third!.url}/#${yield* issuer.tokenOf("mallory")}`)
        yield* says(link, /^Tickets\s+Sign in/)
      }).pipe(Effect.scoped),
    120_000
  )
})
