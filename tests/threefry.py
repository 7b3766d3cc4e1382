"""Threefry-2x32-13 from its paper (Salmon et al., SC 2011), in Python integers."""

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
MASK = 0xFFFFFFFF

# Random123 1.14.0, tests/kat_vectors: (counter, key, result)
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
    ((MASK, MASK), (MASK, MASK), (0xFD36D048, 0x2D17272C)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xBA3E4725, 0xF27D669E)),
]


def threefry2x32(counter: tuple[int, int], key: tuple[int, int]) -> tuple[int, int]:
    """Two random words; 13 rounds, a key injection after every fourth."""
    schedule = (*key, 0x1BD11BDA ^ key[0] ^ key[1])
    x0, x1 = (counter[0] + key[0]) & MASK, (counter[1] + key[1]) & MASK
    for i in range(13):
        turn = ROTATIONS[i % 8]
        x0 = (x0 + x1) & MASK
        x1 = ((x1 << turn | x1 >> (32 - turn)) & MASK) ^ x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0 = (x0 + schedule[s % 3]) & MASK
            x1 = (x1 + schedule[(s + 1) % 3] + s) & MASK
    return x0, x1
