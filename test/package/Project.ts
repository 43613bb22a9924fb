/** An empty project with the package in it as a user gets it: packed from the sources, installed from the tarball. */
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
 * The project starts with our lock file: what is installed beside the tarball are the versions that this checkout has,
 * and npm takes them from its cache.
 */
function writeProject(directory: string, specifier: string): void {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const platform = "@effect/platform-node"
  const manifest = {
    name: "consumer",
    version: "0.0.0",
    private: true,
    type: "module",
    dependencies: { lithair: specifier, effect: devDependencies.effect, [platform]: devDependencies[platform] },
    devDependencies: { "@types/node": devDependencies["@types/node"] }
  }
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
  const { name, version } = manifest
  const tsconfig = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { skipLibCheck: false },
    include: ["main.ts"]
  }
  mkdirSync(directory)
  const files = {
    "package.json": manifest,
    "package-lock.json": { ...lock, name, version, packages: { ...lock.packages, "": manifest } },
    "tsconfig.json": tsconfig
  }
  for (const [file, content] of Object.entries(files)) writeFileSync(join(directory, file), JSON.stringify(content))
  copyFileSync(join(root, "test/package/consumer.ts"), join(directory, "main.ts"))
  // Packages of a workspace: their declarations are written, and each name in them must be found.
  const declared = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      composite: true,
      declaration: true,
      emitDeclarationOnly: true,
      skipLibCheck: false,
      rewriteRelativeImportExtensions: true,
      rootDir: ".",
      outDir: "out"
    },
    include: ["shared", "app"]
  }
  cpSync(join(root, "test/package/declared"), join(directory, "declared"), { recursive: true })
  writeFileSync(join(directory, "declared/tsconfig.json"), JSON.stringify(declared))
}
