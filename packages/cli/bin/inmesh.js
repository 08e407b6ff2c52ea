#!/usr/bin/env node
// Old syntax on purpose: a Node that is too old must get as far as the line that says so.
var MINIMUM = [20, 19];
var version = process.versions.node.split(".").map(Number);

if (version[0] < MINIMUM[0] || (version[0] === MINIMUM[0] && version[1] < MINIMUM[1])) {
  console.error(
    "inmesh needs Node " +
      MINIMUM.join(".") +
      " or newer; this is " +
      process.version +
      ". Install a newer Node (https://nodejs.org) and try again.",
  );
  process.exitCode = 2;
} else {
  import("#main").then(
    (cli) => {
      cli.main();
    },
    (error) => {
      process.exitCode = 1;
      var missing = error && error.code === "ERR_MODULE_NOT_FOUND";
      if (!missing) throw error;
      console.error("inmesh is not complete: " + error.message + ".");
      console.error(
        "In a checkout, build it first: npm install && npm run build. Else install it again: npm i -D inmesh",
      );
    },
  );
}
