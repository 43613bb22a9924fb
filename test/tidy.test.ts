/** Lints the repository's own laws: file headers, the direction of imports, and the purity of the pure rooms. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(root, "src", name), "utf8") }))

/** Rooms in the order in which imports may point back: a file imports its own room, or one to the left of it. */
const rooms = [
  "Invariant",
  "Problem",
  "Model",
  "Machine",
  "Command",
  "EventStore",
  "Raft",
  "Repository",
  "Projection",
  "Reaction",
  "Http",
  "Client",
  "Lithair",
  "Testing",
  "Node"
]
/** Files beside the rooms are entry points: they may show what any room has. */
const isEntry = (name: string) => !name.includes("/") && !["Invariant.ts", "Problem.ts"].includes(name)
const roomOf = (path: string) => (path.split("/")[0] ?? "").replace(/\.ts$/, "")
/** Examples in doc comments import what a user imports, and are none of the file's own imports. */
const importsOf = (text: string) =>
  [...text.replaceAll(/^\s*\*.*$/gm, "").matchAll(/(?:from|import)\s+"([^"]+)"/g)].map((match) => match[1] ?? "")

/** What programs in a browser import. */
const browserEntries = ["Model.ts", "Command.ts", "Projection.ts", "Client.ts"]

/** What a module loads when it is run: imports of types are gone by then. */
const loadedBy = (text: string) => importsOf(text.replaceAll(/(?:import|export) type [^"]*"[^"]+"/g, ""))

/** All that is loaded with a file. */
const closureOf = (entry: string): ReadonlyArray<string> => {
  const loaded = [entry]
  for (const name of loaded) {
    const text = sources.find((source) => source.name === name)?.text ?? ""
    for (const specifier of loadedBy(text)) {
      const target = specifier.startsWith(".")
        ? relative(join(root, "src"), resolve(root, "src", dirname(name), specifier))
        : specifier
      if (!loaded.includes(target)) loaded.push(target)
    }
  }
  return loaded
}

describe("tidy", () => {
  it("every source file opens with a header that says what it is", () => {
    const bare = sources.filter(({ text }) => !text.startsWith("/**")).map(({ name }) => name)
    assert.deepStrictEqual(bare, [])
  })

  it("no source file is longer than 400 lines", () => {
    const long = sources.filter(({ text }) => text.split("\n").length > 401).map(({ name }) => name)
    assert.deepStrictEqual(long, [])
  })

  it("imports point one way between rooms", () => {
    const inRooms = sources.filter(({ name }) => !isEntry(name))
    const wrong = inRooms.flatMap(({ name, text }) =>
      importsOf(text)
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => relative(join(root, "src"), resolve(root, "src", dirname(name), specifier)))
        .filter((target) => rooms.indexOf(roomOf(target)) > rooms.indexOf(roomOf(name)))
        .map((target) => `${name} imports ${target}`)
    )
    assert.deepStrictEqual(wrong, [])
    assert.deepStrictEqual(
      inRooms.map(({ name }) => roomOf(name)).filter((room) => !rooms.includes(room)),
      []
    )
  })

  it("a room's barrel is for callers outside the room", () => {
    const wrong = sources.filter(
      ({ name, text }) => name.includes("/") && importsOf(text).includes(`../${roomOf(name)}.ts`)
    )
    assert.deepStrictEqual(
      wrong.map(({ name }) => name),
      []
    )
  })

  it("the package's entry points are the index, each of its namespaces, and the node", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const index = sources.find(({ name }) => name === "index.ts")?.text ?? ""
    const namespaces = [...index.matchAll(/^export \* as (\w+)/gm)].map(([, name]) => `./src/${name}.ts`)
    const entries = Object.values(exports).filter((path) => path !== "./package.json")
    assert.deepStrictEqual(entries.toSorted(), ["./src/index.ts", "./src/node.ts", ...namespaces].toSorted())
    const misspelt = Object.keys(exports).filter((name) => name !== name.toLowerCase())
    assert.deepStrictEqual(misspelt, [])
  })

  it("only the runtimes' edge imports the platform", () => {
    const edge = sources.filter(({ text }) => importsOf(text).some((from) => from.startsWith("@effect/platform-node")))
    assert.deepStrictEqual(
      edge.map(({ name }) => name),
      ["node.ts"]
    )
  })

  it("what a browser needs, declarations and the client, loads nothing of a runtime", () => {
    const wrong = browserEntries.flatMap((entry) =>
      closureOf(entry)
        .filter((name) => !name.endsWith(".ts") && !/^effect(\/|$)/.test(name))
        .map((name) => `${entry} loads ${name}`)
    )
    assert.deepStrictEqual(wrong, [])
    assert.include(closureOf("Repository.ts"), "node:crypto", "what is loaded is found")
  })

  it("what a browser needs imports Effect's modules, not its barrels: esbuild keeps all that a barrel names", () => {
    const wrong = browserEntries.flatMap((entry) =>
      closureOf(entry)
        .filter((name) => /^effect(\/[a-z-]+)?$/.test(name))
        .map((name) => `${entry} loads the barrel ${name}`)
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("no source reads the ambient clock or randomness", () => {
    const wrong = sources.filter(({ text }) => /Date\.now\(|Math\.random\(|new Date\(\)/.test(text))
    assert.deepStrictEqual(
      wrong.map(({ name }) => name),
      []
    )
  })
})
