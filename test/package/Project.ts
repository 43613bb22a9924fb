/** A project with the package in it as a user gets it: the starter, with the tarball packed from the sources installed. */
import { execFile } from "node:child_process"
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Context, Effect, Layer } from "effect"

const root = fileURLToPath(new URL("../..", import.meta.url))
const binaries = join(root, "node_modules/.bin")
export const binary = (name: string): string => join(binaries, name)

/** npm tells its children of the project that it runs in: these commands run in another one. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(config_local_prefix|package_)/.test(name))
  ),
  PATH: `${binaries}${delimiter}${process.env.PATH ?? ""}`
}

interface Run {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
}

/** The standard output of a command that succeeds; another one fails with all that it said. */
export const output = ({ args, command, cwd }: Run): Effect.Effect<string, Error> =>
  Effect.callback((resume) => {
    const child = execFile(command, args, { cwd, env: environment }, (error, stdout, stderr) =>
      resume(
        error === null
          ? Effect.succeed(stdout)
          : Effect.fail(new Error(`${command} ${args.join(" ")}: ${error.code ?? error.signal}\n${stdout}\n${stderr}`))
      )
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export class Project extends Context.Service<Project, { readonly directory: string }>()("test/package/Project") {
  static readonly layer = Layer.effect(
    Project,
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-package-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const tarball = yield* pack(directory)
      const project = join(directory, "project")
      yield* Effect.sync(() => writeProject(project, `file:${tarball}`))
      const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"]
      yield* output({ command: "npm", args, cwd: project })
      yield* Effect.sync(() => copyTicketing(project))
      return Project.of({ directory: project })
    })
  )
}

/** Built and packed from a copy of the sources, so that nothing stale is packed and no two runs meet. */
const pack = Effect.fnUntraced(function* (directory: string) {
  const sources = join(directory, "sources")
  yield* Effect.sync(() => {
    mkdirSync(sources)
    for (const name of ["src", "docs", "examples", "scripts"]) {
      cpSync(join(root, name), join(sources, name), { recursive: true })
    }
    for (const name of ["package.json", "tsconfig.json", "tsconfig.build.json", "README.md", "LICENSE"]) {
      copyFileSync(join(root, name), join(sources, name))
    }
    symlinkSync(join(root, "node_modules"), join(sources, "node_modules"))
  })
  yield* output({ command: "npm", args: ["run", "build"], cwd: sources })
  const args = ["pack", "./dist", "--silent", "--pack-destination", ".."]
  const packed = yield* output({ command: "npm", args, cwd: sources })
  return join(directory, packed.trim().split("\n").at(-1) ?? "")
})

/**
 * The project is a copy of the starter, as a user copies it, with the tarball for the published package. It starts with
 * our lock file: npm installs the versions that this checkout has, and takes them from its cache.
 */
function writeProject(directory: string, specifier: string): void {
  cpSync(join(root, "examples/starter"), directory, { recursive: true })
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"))
  const write = (file: string, content: unknown) => writeFileSync(join(directory, file), JSON.stringify(content))
  const starter = read(join(directory, "package.json"))
  const lock = read(join(root, "package-lock.json"))
  // Ticketing checks tokens by it.
  const jose = lock.packages["node_modules/jose"].version
  const manifest = { ...starter, dependencies: { ...starter.dependencies, lithair: specifier, jose } }
  const { name, version } = manifest
  write("package.json", manifest)
  write("package-lock.json", { ...lock, name, version, packages: { ...lock.packages, "": manifest } })

  // Beside the starter: a program that serves, checked with the declarations of all libraries, and ticketing with it.
  const compilerOptions = { skipLibCheck: false }
  mkdirSync(join(directory, "consumer"))
  copyFileSync(join(root, "test/package/consumer.ts"), join(directory, "consumer/main.ts"))
  write("consumer/tsconfig.json", {
    extends: join(root, "tsconfig.json"),
    compilerOptions,
    include: ["main.ts", "../ticketing"]
  })
  // Packages of a workspace: their declarations are written, and each name in them must be found.
  cpSync(join(root, "test/package/declared"), join(directory, "declared"), { recursive: true })
  write("declared/tsconfig.json", {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      ...compilerOptions,
      noEmit: false,
      composite: true,
      declaration: true,
      emitDeclarationOnly: true,
      rewriteRelativeImportExtensions: true,
      rootDir: ".",
      outDir: "out"
    },
    include: ["shared", "app"]
  })
}

/** Ticketing as the package has it: copied out, since Node and Deno take no TypeScript from `node_modules`. */
const copyTicketing = (directory: string): void =>
  cpSync(join(directory, "node_modules/lithair/examples/ticketing"), join(directory, "ticketing"), { recursive: true })
