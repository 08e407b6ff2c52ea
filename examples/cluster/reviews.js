// Two workers behind one port, and a new one for each that dies.
import cluster from "node:cluster";
import http from "node:http";

if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  cluster.on("exit", (worker) => {
    if (!worker.exitedAfterDisconnect && worker.process.signalCode === "SIGKILL") cluster.fork();
  });
} else {
  http.createServer((_, response) => response.end(`worker ${process.pid}`)).listen(0, "127.0.0.1");
}
