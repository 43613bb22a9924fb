/** Loaded before a node: from SIGUSR2 on, every sync of this process's files takes 300 ms longer. */
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

let isSlow = false
process.on("SIGUSR2", () => {
  isSlow = true
  console.log("the disk is slow from now on")
})

for (const name of ["fsync", "fdatasync"]) {
  const real = fs[name]
  fs[name] = (fd, done) => (isSlow ? setTimeout(() => real(fd, done), 300) : real(fd, done))
}
syncBuiltinESMExports()
