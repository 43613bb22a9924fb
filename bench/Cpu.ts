/**
 * Measures how much processor time programs used, and how busy others kept the machine, to judge figures from a shared
 * one. Reads `/proc`, so it works only on Linux; elsewhere it reports nothing.
 */
import { readdirSync, readFileSync } from "node:fs"

/** What `/proc` counts in, on every Linux that Node runs on. */
const ticksPerSecond = 100

interface Reading {
  readonly atMs: number
  readonly busyTicks: number
  readonly msByPid: ReadonlyMap<number, number>
}

export interface CpuUse {
  /** Time on a core, of all threads, user and system. */
  readonly msByPid: ReadonlyMap<number, number>
  /** Cores that all but the processes asked about kept busy: other programs, the kernel's own threads, the hypervisor. */
  readonly others: number
}

/** Starts to count; call the result to end it. */
export const watchCpu = (pids: ReadonlyArray<number>): (() => CpuUse | undefined) => {
  const before = readCpu(pids)
  return () => {
    const after = readCpu(pids)
    if (before === undefined || after === undefined) return undefined
    const ms = after.atMs - before.atMs
    const msByPid = new Map(pids.map((pid) => [pid, (after.msByPid.get(pid) ?? 0) - (before.msByPid.get(pid) ?? 0)]))
    const allMs = ((after.busyTicks - before.busyTicks) * 1000) / ticksPerSecond
    const ownMs = [...msByPid.values()].reduce((sum, each) => sum + each, 0)
    return { msByPid, others: Math.max(0, (allMs - ownMs) / ms) }
  }
}

const readCpu = (pids: ReadonlyArray<number>): Reading | undefined => {
  try {
    const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n")
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number)
    return {
      atMs: performance.now(),
      busyTicks: user + nice + system + irq + softirq + steal,
      msByPid: new Map(pids.map((pid) => [pid, busyMs(pid)]))
    }
  } catch {
    return undefined // No `/proc`: the report then shows a dash.
  }
}

/** A tick would be too coarse for what takes a part of a millisecond. */
const busyMs = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + busyNanosOf(pid, thread), 0) / 1e6

const busyNanosOf = (pid: number, thread: string): number => {
  try {
    return schedule(pid, thread)[0]
  } catch {
    return 0 // The thread has ended since it was listed.
  }
}

/** Nanoseconds on a core, and ready to run without one. */
const schedule = (pid: number, thread: string): readonly [onCore: number, waiting: number] => {
  const [onCore = 0, waiting = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ").map(Number)
  return [onCore, waiting]
}

/** A step counts as disturbed if other programs use more of a core than this. */
const quietMaxShare = 0.15

/** If the use of other programs is unknown, a step counts as undisturbed. */
export const isQuiet = (others: number): boolean => !(others > quietMaxShare)

/** How long the main thread of a process was ready to run and had no core, since it began. */
export const waitedForCoreMs = (pid: number): number => {
  try {
    return schedule(pid, String(pid))[1] / 1e6
  } catch {
    return Number.NaN // Not on Linux.
  }
}

/** How long a process was on a core since it began: its main thread, and all of its threads. */
export const busySince = (pid: number): { readonly threadMs: number; readonly allMs: number } => {
  try {
    return { threadMs: schedule(pid, String(pid))[0] / 1e6, allMs: busyMs(pid) }
  } catch {
    return { threadMs: Number.NaN, allMs: Number.NaN } // Not on Linux.
  }
}

/** What the process holds in memory, in bytes. */
export const memoryBytes = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024
  } catch {
    return Number.NaN // Not on Linux.
  }
}
