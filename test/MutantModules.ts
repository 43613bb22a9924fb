/**
 * The modules of this checkout as functions that are compiled once and called anew for each fault: so a fault costs what
 * its module does, and not the loading of four hundred others, and code that V8 has optimized stays optimized. Packages and
 * what Node brings are shared, as they are between programs of one process.
 */
import { readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { compileFunction } from "node:vm"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** The text that stands for one file of the sources. */
export interface BrokenModule {
  /** From the root. */
  readonly file: string
  /** Compiled as the others are (mutation/compiled.ts). */
  readonly text: string
}

type Exports = Record<string, unknown>

/** A module as a function: what it is called with is in `parameters`. */
type ModuleFunction = (require: (name: string) => unknown, module: { exports: Exports }, moduleUrl: string) => void

const parameters = ["require", "module", "moduleUrl"]

const functionOf = (text: string, filename: string): ModuleFunction =>
  compileFunction(text, parameters, { filename }) as ModuleFunction

const compiled = new Map<string, ModuleFunction>()

const compiledOnce = (directory: string, file: string): ModuleFunction => {
  const path = join(directory, file.replace(/\.ts$/, ".js"))
  const known = compiled.get(path)
  if (known !== undefined) return known
  const made = functionOf(readFileSync(path, "utf8"), join(root, file))
  compiled.set(path, made)
  return made
}

/** The names that a compiled module asks for. */
const namesIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = ""]) => name)

const packages = new Map<string, unknown>()

/** Loads the packages that a module and those behind it import, since a function cannot wait for them. */
const loadPackages = async (directory: string, file: string, seen: Set<string>): Promise<void> => {
  if (seen.has(file)) return
  seen.add(file)
  const text = readFileSync(join(directory, file.replace(/\.ts$/, ".js")), "utf8")
  for (const name of namesIn(text)) {
    if (name.startsWith(".")) await loadPackages(directory, resolved(file, name), seen)
    else if (!packages.has(name)) packages.set(name, await import(name))
  }
}

/** The file, from the root, that another one means by a relative name. */
const resolved = (from: string, name: string): string => relative(root, resolve(root, dirname(from), name))

/**
 * Runs a module, named from the root, and all that it imports, with this one broken; `directory` has all of them compiled
 * (mutation/compiled.ts). Ends with what the module exports.
 */
export const run = async (directory: string, file: string, broken: BrokenModule): Promise<Exports> => {
  await loadPackages(directory, file, new Set())
  const modules = new Map<string, { exports: Exports }>()
  const load = (each: string): Exports => {
    const known = modules.get(each)
    if (known !== undefined) return known.exports
    const module = { exports: {} }
    modules.set(each, module)
    const path = join(root, each)
    const make = each === broken.file ? functionOf(broken.text, path) : compiledOnce(directory, each)
    const require = (name: string) => (name.startsWith(".") ? load(resolved(each, name)) : packages.get(name))
    make(require, module, pathToFileURL(path).href)
    return module.exports
  }
  return load(file)
}
