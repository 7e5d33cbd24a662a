# Makes vectors.json: the format of package password written again, with
# hashlib's scrypt and the AES of PyPI's cryptography (50.0.2). All inputs are
# made up.
import base64, hashlib, json, sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

def encrypt(secret, password, salt, iv):
    key = hashlib.scrypt(secret.encode(), salt=salt, n=16384, r=8, p=1, dklen=32)
    plain = password.encode()
    plain += b" " * (16 - len(plain) % 16)
    e = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return "".join(base64.b64encode(b).decode() for b in (e.update(plain) + e.finalize(), salt, iv))

def fixed(label):
    return hashlib.sha256(label.encode()).digest()[:16]

cases = [
    ("short", "a made-up secret", "pw"),
    ("fifteen bytes, one space of padding", "a made-up secret", "123456789012345"),
    ("sixteen bytes, a whole block of padding", "a made-up secret", "1234567890123456"),
    ("seventeen bytes", "a made-up secret", "12345678901234567"),
    ("forty-seven bytes", "another secret", "x" * 47),
    ("accents", "clé secrète ñ", "contraseña·d'Àngel €"),
    ("spaces at the start and within", "a made-up secret", "  two  spaces"),
    ("one letter", "s", "a"),
    ("a long secret", "s" * 200, "correct horse battery staple"),
]
out = [dict(name=n, secret=s, password=p, text=encrypt(s, p, fixed("salt " + n), fixed("iv " + n))) for n, s, p in cases]
json.dump(out, sys.stdout, indent=2, ensure_ascii=False)
print()
