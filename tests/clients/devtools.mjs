// devtools.mjs FILE - loads a heap snapshot as Chrome DevTools does, with its own loader and its
// own retained sizes, and prints "TYPE ID SELF RETAINED NAME" of each node.
import fs from 'node:fs';
import {MessageChannel} from 'node:worker_threads';

import {SecondaryInitManager} from
    'chrome-devtools-frontend/front_end/entrypoints/heap_snapshot_worker/HeapSnapshot.ts';
import {HeapSnapshotLoader} from
    'chrome-devtools-frontend/front_end/entrypoints/heap_snapshot_worker/HeapSnapshotLoader.ts';

const dispatcher = {sendEvent(name, data) {
  if (name === 'ProgressUpdate') return;
  console.error(name, data);
  process.exitCode = 1;
}};
const loader = new HeapSnapshotLoader(dispatcher);
const file = fs.createReadStream(process.argv[2], {encoding: 'latin1', highWaterMark: 1 << 20});
for await (const chunk of file) loader.write(chunk);
loader.close();
await loader.parsingComplete;
// DevTools computes dominators in a second worker: here they talk over a channel.
const channel = new MessageChannel();
new SecondaryInitManager(channel.port2);
const snapshot = await loader.buildSnapshot(channel.port1);
const lines = [];
for (let i = 0; i < snapshot.nodeCount; i++) {
  const node = snapshot.createNode(i * snapshot.nodeFieldCount);
  lines.push([node.type(), node.id(), node.selfSize(), node.retainedSize(),
              Buffer.from(node.rawName(), 'latin1')].join(' '));
}
fs.writeFileSync(1, [...lines, ''].join('\n'));
channel.port1.close();
channel.port2.close();
