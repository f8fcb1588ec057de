#!/bin/sh
# Makes a root file system of programs: with the shared libraries they load, and what glibc and TLS look for.
#
#   root.sh PROGRAMS ROOT
#
# Debian's records of the packages that the libraries are from go along, so that scanners know them.
set -eu

programs=$1 root=$2
install -d "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d"
install -d -m 1777 "$root/tmp"
# Where audits leave their result: a volume takes owner and mode from here, and containers have group 0.
install -d -m 0775 -g 0 "$root/var/lib/storepulse/audit"
install -m 0755 "$programs"/storepulse-* "$root/usr/local/bin/"

libraries=$(for program in "$root"/usr/local/bin/*; do
    ldd "$program" | sed -n 's/.*not found.*/missing: &/p; s/^.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p'
done | sort -u)
if missing=$(echo "$libraries" | grep '^missing'); then
    echo "root.sh: libraries are missing: $missing" >&2
    exit 1
fi
for library in $libraries; do
    install -D -m 0755 "$(readlink -f "$library")" "$root$library"
    # Debian knows a library by the place it is in once /lib is no longer apart from /usr/lib.
    package=$(dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "$library")
    package=${package%%: *}
    dpkg -s "$package" >"$root/var/lib/dpkg/status.d/${package%%:*}"
done

install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
install -m 0644 /etc/os-release "$root/etc/"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'storepulse:x:65532:65532:storepulse:/tmp:/sbin/nologin' >"$root/etc/passwd"
echo 'storepulse:x:65532:' >"$root/etc/group"
