/** Lints the repository's own laws: file headers, the direction of imports, and the purity of the pure rooms. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const read = (path: string) => readFileSync(join(root, path), "utf8")
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ name, text: readFileSync(join(root, "src", name), "utf8") }))

/** Rooms in the order in which imports may point back: a file imports its own room, or one to the left of it. */
const rooms = [
  "Invariant",
  "Problem",
  "Tracing",
  "Access",
  "Model",
  "Machine",
  "Command",
  "EventStore",
  "Raft",
  "Local",
  "Cluster",
  "Backup",
  "Repository",
  "Changes",
  "Live",
  "Projection",
  "Reaction",
  "Sql",
  "Http",
  "Client",
  "Lithair",
  "EffectCluster",
  "Testing",
  "Node",
  "Cli"
]
/** Files beside the rooms are entry points: they may show what any room has. */
const isEntry = (name: string) => !name.includes("/") && !["Invariant.ts", "Problem.ts", "Tracing.ts"].includes(name)
const roomOf = (path: string) => (path.split("/")[0] ?? "").replace(/\.ts$/, "")
/** Walls inside Raft: peers knows the core, and node knows both. */
const wallsOfRaft = ["core", "peers", "node"]

/** Files that compute and do nothing else: they run on any machine, in any order of the world around them. */
const isPure = (name: string) =>
  /^(Invariant\.ts|Access\/|Model\/|Machine\/|Raft\/core\/|EventStore\/(LogEntry|Start)\.ts)/.test(name)
/** What pure files may take from libraries: data, what is computed from it, and digests. */
const pureImports =
  /^(effect|effect\/(Result|Schema|schema|encoding)|sorted-btree|sorted-btree\/extended\/bulkLoad\.js|node:crypto)$/

/** Examples in doc comments import what a user imports, and are none of the file's own imports. */
const importsOf = (text: string) =>
  [...text.replaceAll(/^\s*\*.*$/gm, "").matchAll(/(?:from|import)\s+"([^"]+)"/g)].map((match) => match[1] ?? "")

/** What programs in a browser import. */
const browserEntries = ["Model.ts", "Command.ts", "Projection.ts", "Client.ts", "Repository.ts"]

/** The files that a file imports, named from `src`. */
const targetsOf = (name: string, text: string): ReadonlyArray<string> =>
  importsOf(text)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => relative(join(root, "src"), resolve(root, "src", dirname(name), specifier)))

/** Entry points whose every exported name has a doc comment. */
const commentedEntries = sources.map(({ name }) => name).filter(isEntry)

/** The names that a file exports from elsewhere or declares, each with the place of its declaration. */
const exportsOf = (name: string): ReadonlyArray<{ readonly name: string; readonly declared: string }> => {
  const text = sources.find((source) => source.name === name)?.text ?? ""
  const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)"/gm)].flatMap(
    ([, list = "", from = ""]) =>
      list.split(",").flatMap((each) => {
        const passed = each
          .trim()
          .replace(/^type /, "")
          .split(" as ")[0]
        if (passed === undefined || passed === "") return []
        const declared = relative(join(root, "src"), resolve(root, "src", dirname(name), from))
        return [{ name: passed, declared }]
      })
  )
  const own = [...text.matchAll(/^export (?:declare )?(?:abstract )?(?:const|class|interface|type|function) (\w+)/gm)]
  return [...passedOn, ...own.map(([, each = ""]) => ({ name: each, declared: name }))]
}

/** Whether a doc comment stands before the first declaration of a name. */
const hasDocComment = (name: string, declared: string): boolean => {
  const lines = sources.find((source) => source.name === declared)?.text.split("\n") ?? []
  const declaration = new RegExp(
    `^export (?:declare )?(?:abstract )?(?:const|class|interface|type|function) ${name}\\b`
  )
  const at = lines.findIndex((line) => declaration.test(line))
  if (at > 0) return (lines[at - 1] ?? "").endsWith("*/")
  const passedOn = exportsOf(declared).find((each) => each.name === name && each.declared !== declared)
  return passedOn !== undefined && hasDocComment(name, passedOn.declared)
}

/** The pages, named from the root. */
const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "STYLE.md"].concat(
  ["docs", "examples", "bench", "src"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
      .map((name) => `${folder}/${name}`)
  )
)

/** A page without its blocks of code. */
const proseOf = (page: string) => read(page).replaceAll(/^```[\s\S]*?^```/gm, "")

/** The headings of a page as links name them. */
const headingsOf = (page: string): ReadonlyArray<string> =>
  [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-")
  )

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
  it("every source file opens with a header", () => {
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
      targetsOf(name, text)
        .filter((target) => rooms.indexOf(roomOf(target)) > rooms.indexOf(roomOf(name)))
        .map((target) => `${name} imports ${target}`)
    )
    assert.deepStrictEqual(wrong, [])
    assert.deepStrictEqual(
      inRooms.map(({ name }) => roomOf(name)).filter((room) => !rooms.includes(room)),
      []
    )
  })

  it("no files import each other, by way of others or through types either", () => {
    const targets = new Map(sources.map(({ name, text }) => [name, targetsOf(name, text)]))
    /** Files whose imports lead to no circle. */
    const done = new Set<string>()
    const circleFrom = (name: string, path: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
      if (path.includes(name)) return [...path.slice(path.indexOf(name)), name]
      if (done.has(name)) return undefined
      for (const target of targets.get(name) ?? []) {
        const circle = circleFrom(target, [...path, name])
        if (circle !== undefined) return circle
      }
      done.add(name)
      return undefined
    }
    const circles = sources.flatMap(({ name }) => circleFrom(name, [])?.join(" → ") ?? [])
    assert.deepStrictEqual([...new Set(circles)], [])
  })

  it("walls inside Raft are passed one way", () => {
    const wallOf = (path: string) => wallsOfRaft.indexOf(path.split("/")[1] ?? "")
    const wrong = sources
      .filter(({ name }) => name.startsWith("Raft/"))
      .flatMap(({ name, text }) =>
        targetsOf(name, text)
          .filter((target) => target.startsWith("Raft/") && wallOf(target) > wallOf(name))
          .map((target) => `${name} imports ${target}`)
      )
    assert.deepStrictEqual(wrong, [])
  })

  it("pure files import only pure files", () => {
    const pure = sources.filter(({ name }) => /^(Machine|Raft\/core)\//.test(name))
    assert.isAbove(pure.length, 40)
    const wrong = pure.flatMap(({ name, text }) => [
      ...targetsOf(name, text)
        .filter((target) => !isPure(target))
        .map((target) => `${name} imports ${target}`),
      ...importsOf(text)
        .filter((specifier) => !specifier.startsWith(".") && !pureImports.test(specifier))
        .map((specifier) => `${name} imports ${specifier}`)
    ])
    assert.deepStrictEqual(wrong, [])
  })

  it("no source imports an entry point: they are for callers outside", () => {
    const wrong = sources
      .filter(({ name }) => !isEntry(name))
      .flatMap(({ name, text }) =>
        targetsOf(name, text)
          .filter(isEntry)
          .map((target) => `${name} imports ${target}`)
      )
    assert.deepStrictEqual(wrong, [])
  })

  it("everything that a comment cites is in this repository", () => {
    const rules = read("docs/raft.md")
    const decided = read("ARCHITECTURE.md")
    const files = ["src", "test", "scripts", "bench", "examples"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `/${folder}/${name}`)
    )
    const isFile = (cited: string) => files.some((name) => name.endsWith(`/${cited}`))
    const wrong = sources.flatMap(({ name, text }) => {
      const comments = [...text.matchAll(/\/\*\*[\s\S]*?\*\/|\/\/.*$/gm)].map(([comment]) => comment).join("\n")
      const cited = [
        ...[...comments.matchAll(/\b(C\d+)\b/g)].filter(([, rule]) => !rules.includes(`| ${rule} |`)),
        ...[...comments.matchAll(/\b(D\d+)\b/g)].filter(([, rule]) => !decided.includes(`**${rule}**`)),
        ...[...comments.matchAll(/\b(docs\/[\w/-]+\.md)/g)].filter(([, page = ""]) => !existsSync(join(root, page))),
        ...[...comments.matchAll(/(docs\/[\w-]+\.md), "([^"]+)"/g)].filter(
          ([, page = "", heading]) => !read(page).includes(`## ${heading}`)
        ),
        ...[...comments.matchAll(/\b(\w[\w/.]*\.ts)\b/g)].filter(([, file = ""]) => !isFile(file)),
        ...comments.matchAll(/\b(DESIGN|RAFT|HTTP contract)\b/g)
      ]
      return cited.map(([citation]) => `${name} cites ${citation}`)
    })
    assert.deepStrictEqual(wrong, [])
  })

  it("each link of a page leads to a file and, in a page, to a heading of it", () => {
    const wrong = pages.flatMap((page) =>
      [...proseOf(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
        const [path = "", heading] = link.split("#")
        const target = path === "" ? page : join(dirname(page), path)
        if (!existsSync(join(root, target))) return [`${page} links to ${link}`]
        return heading === undefined || headingsOf(target).includes(heading) ? [] : [`${page} links to ${link}`]
      })
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("pages name every metric, problem and flag", () => {
    const namesIn = (room: string, pattern: RegExp) =>
      sources
        .filter(({ name }) => name.startsWith(room))
        .flatMap(({ text }) => Array.from(text.matchAll(pattern), ([, name = ""]) => name))
    // A flag and its variable have one name.
    const flags = namesIn("Node/", /"LITHAIR_([A-Z_]+)"/g).map((name) => name.toLowerCase().replaceAll("_", "-"))
    const listed = [
      { page: "docs/operating.md", after: "`", least: 50, names: namesIn("Http/", /"((?:lithair|http)_[a-z_]+)"/g) },
      { page: "docs/http.md", after: "`", least: 40, names: namesIn("Problem.ts", /^ {2}"?([a-z-]+)"?: define\(/gm) },
      { page: "README.md docs/edge.md", after: "`--", least: 25, names: flags }
    ]
    const missing = listed.flatMap(({ after, least, names, page }) => {
      assert.isAtLeast(names.length, least, `names for ${page} are found`)
      const text = page.split(" ").map(read).join("")
      return names
        .filter((name) => !new RegExp(`${after}${name}[^a-z_-]`).test(text))
        .map((name) => `${page} lacks ${name}`)
    })
    assert.deepStrictEqual(missing, [])
  })

  it("decisions are numbered without gaps, and each heading has its number", () => {
    const decisions = readdirSync(join(root, "docs/decisions"))
    const numbers = decisions.map((name) => Number(name.slice(0, 4)))
    assert.deepStrictEqual(
      numbers,
      decisions.map((_, at) => at + 1)
    )
    for (const [at, name] of decisions.entries()) {
      assert.isTrue(read(`docs/decisions/${name}`).startsWith(`# ${numbers[at]}. `), name)
    }
  })

  it("the package's entry points are the index, each of its namespaces, the node, Effect Cluster, and what only tests need", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    const index = sources.find(({ name }) => name === "index.ts")?.text ?? ""
    const namespaces = [...index.matchAll(/^export \* as (\w+)/gm)].map(([, name]) => `./src/${name}.ts`)
    const entries = Object.values(exports).filter((path) => path !== "./package.json")
    // The index loads none of Effect's cluster modules.
    const apart = ["./src/Cluster.ts", "./src/index.ts", "./src/node.ts", "./src/Testing.ts"]
    assert.deepStrictEqual(entries.toSorted(), [...apart, ...namespaces].toSorted())
    const misspelt = Object.keys(exports).filter((name) => name !== name.toLowerCase())
    assert.deepStrictEqual(misspelt, [])
  })

  it("every name that an entry point exports has a doc comment", () => {
    const names = commentedEntries.flatMap(exportsOf)
    assert.isAbove(names.length, 40, "names are found")
    const bare = names.filter(({ declared, name }) => !hasDocComment(name, declared))
    assert.deepStrictEqual(
      bare.map(({ declared, name }) => `${declared}: ${name}`),
      []
    )
  })

  it("only the room of Effect Cluster loads Effect's cluster and persistence modules", () => {
    const others = sources.filter(({ name }) => !/^(EffectCluster\/|Cluster\.ts$)/.test(name))
    const load = others.filter(({ text }) =>
      importsOf(text).some(
        (from) => /^effect\/(cluster|workflow|persistence)/.test(from) || /\/EffectCluster\//.test(from)
      )
    )
    assert.deepStrictEqual(
      load.map(({ name }) => name),
      []
    )
  })

  it("only the runtimes' edge imports the platform", () => {
    const edge = sources.filter(({ text }) => importsOf(text).some((from) => from.startsWith("@effect/platform-node")))
    assert.deepStrictEqual(
      edge.map(({ name }) => name),
      ["cli.ts", "node.ts"]
    )
  })

  it("one file loads Effect's SQL modules, and nothing loads that file with the library", () => {
    const loading = sources.filter(({ text }) => loadedBy(text).some((from) => from.startsWith("effect/sql")))
    assert.deepStrictEqual(
      loading.map(({ name }) => name),
      ["Sql/open.ts"]
    )
    for (const entry of ["index.ts", "node.ts", "Testing.ts"]) assert.notInclude(closureOf(entry), "Sql/open.ts", entry)
    assert.include(closureOf("index.ts"), "Sql/lead.ts", "what is loaded is found")
  })

  it("declarations and the client, which browsers need, load nothing of a runtime", () => {
    const wrong = browserEntries.flatMap((entry) =>
      closureOf(entry)
        .filter((name) => !name.endsWith(".ts") && !/^effect(\/|$)/.test(name))
        .map((name) => `${entry} loads ${name}`)
    )
    assert.deepStrictEqual(wrong, [])
    assert.include(closureOf("Client/near/layer.ts"), "node:crypto", "what is loaded is found")
  })

  it("declarations and the client import Effect's modules, not its barrels: esbuild keeps everything that a barrel names", () => {
    const wrong = browserEntries.flatMap((entry) =>
      closureOf(entry)
        .filter((name) => /^effect(\/[a-z-]+)?$/.test(name))
        .map((name) => `${entry} loads the barrel ${name}`)
    )
    assert.deepStrictEqual(wrong, [])
  })

  it("no test replaces a module, which files that share their modules would all get", () => {
    const tests = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => ({ name, text: readFileSync(join(root, "test", name), "utf8") }))
    assert.isAbove(tests.length, 100)
    const replacing = tests.filter(({ text }) => /^vi\.(mock|doMock)\(/m.test(text)).map(({ name }) => name)
    assert.deepStrictEqual(replacing, [])
  })

  it("no source reads the ambient clock or randomness", () => {
    const wrong = sources.filter(({ text }) => /Date\.now\(|Math\.random\(|new Date\(\)/.test(text))
    assert.deepStrictEqual(
      wrong.map(({ name }) => name),
      []
    )
  })
})
