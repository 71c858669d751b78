"""expected/index.json from the sample files themselves (standard library only).

    python3 fileset_facts.py SAMPLES_DIR
"""
import glob
import json
import os
import struct
import sys


def index(top):
    out = {}
    for path in sorted(glob.glob(os.path.join(top, '*.fs'))):
        with open(path, 'rb') as f:
            raw = f.read()
        pos, ix = 4, {}
        while pos < len(raw):
            tid, tlen, st, ul, dl, el = struct.unpack(
                '>8sQcHHH', raw[pos:pos + 23])
            p = pos + 23 + ul + dl + el
            while p < pos + tlen:
                ix[raw[p:p + 8]] = p
                vlen, plen = struct.unpack('>HQ', raw[p + 32:p + 42])
                p += 42 + (plen or 8)
            pos += tlen + 8
        out[os.path.basename(path)] = {
            'pos': len(raw), 'entries': len(ix),
            'prefixes': sorted(set(k[:6].hex() for k in ix)),
            'max_oid': max(ix).hex(), 'sum_of_positions': sum(ix.values()),
            'some': dict((k.hex(), ix[k]) for k in sorted(ix)[::40])}
    return out


def main(top):
    with open(os.path.join(top, 'expected', 'index.json'), 'w') as f:
        json.dump(index(os.path.join(top, 'index')), f, indent=1,
                  sort_keys=True)
        f.write('\n')


if __name__ == '__main__':
    main(sys.argv[1])
