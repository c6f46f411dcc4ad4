/* bench-s9ws.js: our clients from GJS; VARIANT is as for bench-s9ws.c
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import S9ws from 'gi://S9ws?version=1';
import System from 'system';

const [uri, work, countText, sizeText, kind, variant, caFile] = System.programArgs;
const count = Number(countText);
const isText = kind === 'text';
const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(Number(sizeText) / 26 + 1).slice(0, Number(sizeText));
const payload = isText ? text : new TextEncoder().encode(text);
const path = { inbound: `/blast/${countText}/${sizeText}/${kind}`, outbound: `/sink/${countText}` }[work] ?? '/echo';
const nExpected = work === 'outbound' ? 1 : count;
const samples = [];
let begun, last, cpu, client;
let nReceived = 0;

/* In seconds: fields 14 and 15 of stat, in ticks of 10 ms. */
function getCpu() {
    const [, bytes] = GLib.file_get_contents('/proc/self/stat');
    const fields = new TextDecoder().decode(bytes).split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

function getPeakMemory() {
    const [, bytes] = GLib.file_get_contents('/proc/self/status');
    return Number(/VmHWM:\s+(\d+)/.exec(new TextDecoder().decode(bytes))[1]);
}

function end() {
    const seconds = (GLib.get_monotonic_time() - begun) / 1e6;
    const report = { count, seconds, cpu: getCpu() - cpu, peak_kib: getPeakMemory(), per_second: count / seconds };
    samples.sort((a, b) => a - b);
    for (const [name, part] of [['p50', 0.5], ['p99', 0.99], ['p999', 0.999]]) {
        if (samples.length > 0)
            report[name] = samples[Math.floor(samples.length * part)];
    }
    print(JSON.stringify(report));
    client.force_quit();
}

function send() {
    if (isText)
        client.send_text(payload);
    else
        client.send_binary(payload);
}

function onMessage() {
    if (++nReceived === nExpected)
        end();
}

function onEcho() {
    const now = GLib.get_monotonic_time();
    samples.push(now - last);
    last = now;
    if (++nReceived === nExpected)
        end();
    else
        send();
}

const callback = work === 'round-trip' ? onEcho : onMessage;

const TextHandler = GObject.registerClass({ Implements: [S9ws.Handler] }, class TextHandler extends GObject.Object {
    vfunc_text_message() {
        callback();
    }
});

const BinaryHandler = GObject.registerClass({ Implements: [S9ws.Handler] }, class BinaryHandler extends GObject.Object {
    vfunc_binary_message() {
        callback();
    }
});

const options = new S9ws.Options({ max_buffered_amount: 0 });
if (caFile)
    options.tls_context = new S9ws.TlsContext({ ca_file: caFile });
const Client = variant.startsWith('non-blocking') ? S9ws.NonBlockingClient : S9ws.BlockingClient;
client = new Client({ uri: uri + path, options });

const expectsText = isText || work === 'outbound';
if (variant.includes(':handler'))
    client.set_handler(expectsText ? new TextHandler() : new BinaryHandler());
else
    client.connect(expectsText ? 'text-message' : 'binary-message', callback);

client.open(null);
cpu = getCpu();
begun = last = GLib.get_monotonic_time();
for (let i = 0; i < (work === 'outbound' ? count : 1); i++)
    send();
client.run(null);
