// A test of somebody's that lets nothing out but what it names, in a process that has a Consul as its registry.
import nock from "nock";

nock.disableNetConnect();
nock.enableNetConnect(process.argv[2]);
nock("http://mocked").get("/").reply(200, "of the mock");
for (const url of ["http://mocked/", `http://${process.argv[2]}/x`]) {
  const answer = await fetch(url);
  console.log(answer.status, await answer.text());
}
