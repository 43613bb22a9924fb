/**
 * The process of Mutants.ts: imports one bundle after the other, as if each were a program with arguments of its own,
 * and sends back what it prints.
 */
import { pathToFileURL } from "node:url"
import type { MutantAnswer, MutantQuestion } from "./Mutants.ts"

const log = console.log

const answerTo = async ({ args, bundle }: MutantQuestion): Promise<MutantAnswer> => {
  const said: Array<string> = []
  process.argv = [process.execPath, bundle, ...args]
  console.log = (...words) => void said.push(words.join(" "))
  try {
    // A program of the mutation tests is over once its module is.
    await import(pathToFileURL(bundle).href)
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
