/* bench-ws.cjs: Node's ws, without compression and without limits
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
'use strict';

const fs = require('fs');
const WebSocket = require('ws');

const [uri, work, countText, sizeText, kind, , caFile] = process.argv.slice(2);
const count = Number(countText);
const isText = kind === 'text';
const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(Number(sizeText) / 26 + 1).slice(0, Number(sizeText));
const payload = isText ? text : Buffer.from(text);
const path = { inbound: `/blast/${countText}/${sizeText}/${kind}`, outbound: `/sink/${countText}` }[work] ?? '/echo';
const samples = [];
let begun, last, cpu;
let nReceived = 0;

/* In KiB. Not maxRSS, which begins with what the parent had. */
function getPeakMemory() {
    return Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
}

function end() {
    const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
    const usage = process.cpuUsage(cpu);
    const report = { count, seconds, cpu: (usage.user + usage.system) / 1e6, peak_kib: getPeakMemory(),
        per_second: count / seconds };
    samples.sort((a, b) => a - b);
    for (const [name, part] of [['p50', 0.5], ['p99', 0.99], ['p999', 0.999]]) {
        if (samples.length > 0)
            report[name] = samples[Math.floor(samples.length * part)] / 1000;
    }
    console.log(JSON.stringify(report));
    process.exit(0);
}

const socket = new WebSocket(uri + path, {
    perMessageDeflate: false,
    maxPayload: 0,
    ca: caFile ? fs.readFileSync(caFile) : undefined,
});

socket.on('open', () => {
    socket._socket.setNoDelay(true);
    cpu = process.cpuUsage();
    begun = last = process.hrtime.bigint();
    for (let i = 0; i < (work === 'outbound' ? count : 1); i++)
        socket.send(payload);
});

socket.on('message', (data, isBinary) => {
    if (!isBinary)
        data.toString();
    nReceived++;
    if (work === 'round-trip') {
        const now = process.hrtime.bigint();
        samples.push(Number(now - last));
        last = now;
        if (nReceived < count)
            socket.send(payload);
    }
    if (nReceived === count || work === 'outbound')
        end();
});

socket.on('error', error => {
    console.error(error);
    process.exit(1);
});
