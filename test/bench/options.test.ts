/** The flags of a comparison. */
import { assert, describe, it } from "@effect/vitest"
import { readOptions } from "../../bench/Options.ts"

const known = { lines: ["writes", "reads"], systems: ["node", "bun", "etcd"] }
const read = (...args: ReadonlyArray<string>) => readOptions(args, known)

describe("options", () => {
  it("measure all lines beside etcd, five times, if nothing else is said", () => {
    const { clients, lines, runs, systems } = read()
    assert.deepStrictEqual(
      { clients, lines, runs, systems },
      { clients: undefined, ...known, systems: ["node", "etcd"], runs: 5 }
    )
  })

  it("compare with another checkout alone, unless systems are named", () => {
    assert.deepStrictEqual(read("--base", "../other").systems, ["node"])
    assert.deepStrictEqual(read("--base", "../other", "--systems", "bun,etcd").systems, ["bun", "etcd"])
  })

  it("make a smoke run short, and let each flag be named", () => {
    const { clients, lines, runs, stepMs } = read("--smoke", "--clients", "16")
    assert.deepStrictEqual(
      { clients, lines, runs, stepMs },
      { clients: [16], lines: ["writes"], runs: 1, stepMs: 1000 }
    )
  })

  for (const [args, message] of [
    [["nothing"], /Expected some of writes, reads, found "nothing"/],
    [["--systems", "node,zookeeper"], /found "zookeeper"/],
    [["--runs", "0"], /--runs: expected a whole number from 1 to 50, found "0"/],
    [["--clients", "1,many"], /--clients: expected a whole number from 1 to 10000, found "many"/]
  ] as const) {
    it(`refuse ${args.join(" ")}`, () => {
      assert.throws(() => read(...args), message)
    })
  }
})
