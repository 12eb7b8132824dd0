#!/bin/sh
# Make the archives of this folder again: with GNU tar, bsdtar, git, Info-ZIP and 7z, below a temporary folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
umask 022
mkdir -p d/sub d/folder
long=$(printf 'n%.0s' $(seq 120))
printf 'alpha\n' > d/a.txt
printf 'beta' > d/sub/b.bin
printf 'long' > "d/$long.txt"
: > d/empty
ln d/a.txt d/hard
ln -s sub/b.bin d/soft
ln -s ../out d/out
# 40 parts of 4 KiB with holes between, and one at the end.
python3 - <<'PY'
with open("d/holes.bin", "wb") as file:
    for number in range(40):
        file.seek(number * 16384 + 8192)
        file.write(bytes([number + 1]) * 4096)
    file.truncate(700000)
PY
find d -exec touch -h -d '2020-02-02 02:02:02 UTC' {} +

keep() { gzip -9nc "$1" > "$here/$1.gz"; }
plain="--sort=name --owner=0 --group=0 --numeric-owner"
tar $plain -S --format=gnu -cf gnu.tar -C d . && keep gnu.tar
for version in 0.0 0.1 1.0; do
    tar $plain -S --format=pax --sparse-version=$version -cf pax-$version.tar -C d . && keep pax-$version.tar
done
tar $plain --format=gnu -g snapshot -cf incremental.tar -C d . && keep incremental.tar
tar $plain --format=pax -g snapshot2 -V label -cf labelled.tar -C d . && keep labelled.tar
tar $plain --format=ustar -cf ustar.tar d/a.txt d/sub d/hard d/soft && keep ustar.tar
tar $plain --format=v7 -cf v7.tar d/a.txt d/sub d/hard d/soft && keep v7.tar
bsdtar --uid 0 --gid 0 --format pax --read-sparse -cf bsdtar.tar -C d . && keep bsdtar.tar
bsdtar --uid 0 --gid 0 --format gnutar -cf bsdtar-gnu.tar -C d . && keep bsdtar-gnu.tar
7z a -ttar 7z.tar ./d/a.txt ./d/sub > 7z.log && keep 7z.tar
git init -q repository && cp -r d/a.txt d/sub repository
git -C repository add . && git -C repository -c user.name=n -c user.email=e commit -qm m
git -C repository archive --format=tar HEAD > git.tar && keep git.tar

(cd d && zip -qry -X ../info.zip . -x holes.bin && printf 'note' | zip -qz ../info.zip) && keep info.zip
(cd d && zip -q -X -P secret ../encrypted.zip a.txt && zip -q -X ../encrypted.zip empty) && keep encrypted.zip
(cd d && zip -q -X - - < a.txt > ../streamed.zip) && keep streamed.zip
(cd d && zip -q -X -fz ../zip64.zip a.txt sub/b.bin) && keep zip64.zip
(printf '#!/bin/sh\nexit 0\n'; cat info.zip) > prefixed.zip && keep prefixed.zip
for method in LZMA BZip2 Deflate64 PPMd; do
    name=7z-$(echo $method | tr 'A-Z' 'a-z').zip
    (cd d && 7z a -tzip -mm=$method ../$name a.txt sub/b.bin holes.bin > ../7z.log) && keep $name
done
(cd d && 7z a -tzip -psecret -mem=AES256 ../7z-aes.zip a.txt > ../7z.log) && keep 7z-aes.zip
bsdtar --format zip -cf bsdtar.zip -C d a.txt sub && keep bsdtar.zip
