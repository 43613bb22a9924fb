/**
 * The process of Mutants.ts: runs one module after the other with a fault in the sources, as if each were a program with
 * arguments of its own, and sends back what it prints.
 */

import { run } from "./MutantModules.ts"
import type { MutantAnswer, MutantQuestion } from "./Mutants.ts"

const log = console.log

const answerTo = async ({ args, broken, directory, module }: MutantQuestion): Promise<MutantAnswer> => {
  const said: Array<string> = []
  process.argv = [process.execPath, module, ...args]
  console.log = (...words) => void said.push(words.join(" "))
  try {
    const exports = await run(directory, module, broken)
    // A program of the mutation tests is over once its module is, and what it calls `done`.
    await exports.done
    return { stdout: said.join("\n") }
  } catch (error) {
    return { failure: error instanceof Error ? `${error.stack}` : String(error) }
  } finally {
    console.log = log
  }
}

process.on("message", (question: MutantQuestion) => {
  void answerTo(question).then((answer) => process.send?.(answer))
})

// What a fault has left running does not outlive the tests.
process.on("disconnect", () => process.exit())
