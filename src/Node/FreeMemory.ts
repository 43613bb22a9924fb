/**
 * Gives memory back that loading a program has taken: V8 lets its young generation grow while modules are loaded, keeps
 * what compiling them left, and has no reason to collect that in a node which idles.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

type Collect = (how: { readonly type: "major"; readonly execution: "sync"; readonly flavor: "last-resort" }) => void

/**
 * Collects all garbage, as V8 does before it runs out of memory. The thread does nothing else meanwhile, for about a tenth
 * of a second: call it before a node runs. A runtime that cannot do it does nothing.
 */
export const freeMemory = (): void => {
  try {
    // Only a context that is made after the flag has the function.
    setFlagsFromString("--expose-gc")
    const collect: Collect = runInNewContext("gc")
    collect({ type: "major", execution: "sync", flavor: "last-resort" })
  } catch {
    // Bun has another engine, and collects by itself.
  } finally {
    try {
      setFlagsFromString("--no-expose-gc")
    } catch {
      // As above.
    }
  }
}
