/** Loaded before a node: from SIGUSR2 on, every sync of this process's files fails with EIO. */
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

let isFailing = false
process.on("SIGUSR2", () => {
  isFailing = true
  console.log("the disk fails from now on")
})

const failure = () => Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO", errno: -5 })

for (const name of ["fsync", "fdatasync"]) {
  const real = fs[name]
  fs[name] = (fd, done) => (isFailing ? process.nextTick(done, failure()) : real(fd, done))
}
syncBuiltinESMExports()
