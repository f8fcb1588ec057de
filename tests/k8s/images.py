#!/usr/bin/env python3
"""Test-only images, made without a registry and without Docker, as one tar of the kind that `docker save` writes.

  storepulse/services:VERSION  the programs of this workspace and the libraries that they load: no shell, nothing else
  test/java:VERSION           Java, Kafka's jars, the Firestore emulator and busybox: what the stand-ins for Strimzi's
                              and Google's images run
"""
import argparse, hashlib, io, json, os, pathlib, re, subprocess, tarfile, tempfile

def libraries(program):
    """The shared libraries of a program, and the loader."""
    out = subprocess.run(['ldd', program], capture_output=True, text=True).stdout
    return {path for path in re.findall(r'(/\S+)', out) if os.path.exists(path)}

class Layer:
    """A layer of an image, from files of this machine."""
    def __init__(self, path):
        self.path, self.tar, self.seen = path, tarfile.open(path, 'w', dereference=True), set()
    def put(self, source, at):
        if at in self.seen:
            return
        self.seen.add(at)
        def owner(info):
            info.uid = info.gid = 0
            info.uname = info.gname = ''
            return info
        self.tar.add(source, at.lstrip('/'), filter=owner)
    def text(self, at, text, mode=0o644):
        info = tarfile.TarInfo(at.lstrip('/'))
        info.size, info.mode = len(text.encode()), mode
        self.tar.addfile(info, io.BytesIO(text.encode()))
    def directory(self, at, mode=0o755):
        info = tarfile.TarInfo(at.lstrip('/'))
        info.type, info.mode = tarfile.DIRTYPE, mode
        self.tar.addfile(info)
    def program(self, source, at):
        self.put(source, at)
        self.libraries(source)
    def libraries(self, source, home=None):
        """What a program loads, but for what is in its own home."""
        for library in libraries(source):
            real = os.path.realpath(library)
            if not (home and real.startswith(home)):
                self.put(real, library)
    def close(self):
        self.tar.close()
        return hashlib.sha256(pathlib.Path(self.path).read_bytes()).hexdigest()

def main():
    args = argparse.ArgumentParser()
    for name in ('out', 'bin', 'version', 'jars', 'java', 'emulator'):
        args.add_argument('--' + name, required=True)
    args = args.parse_args()
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(args.out))) as work:
        ours = Layer(f'{work}/ours.tar')
        for name in ('analytics', 'simulator', 'dashboard', 'attacker', 'deploy'):
            stripped = f'{work}/storepulse-{name}'
            subprocess.run(['strip', '-o', stripped, f'{args.bin}/storepulse-{name}'], check=True)
            ours.program(stripped, f'/usr/local/bin/storepulse-{name}')
        ours.put('/etc/ssl/certs/ca-certificates.crt', '/etc/ssl/certs/ca-certificates.crt')
        ours.text('/etc/passwd', 'storepulse:x:65532:65532::/:/nonexistent\n')
        ours.text('/etc/nsswitch.conf', 'hosts: files dns\n')
        ours.directory('/tmp', 0o1777)

        java = Layer(f'{work}/java.tar')
        home = os.path.realpath(args.java)
        for base, _, files in os.walk(home):
            for file in files:
                path = os.path.join(base, file)
                if os.path.exists(path) and not path.endswith(('.jmod', 'src.zip')):
                    java.put(path, '/opt/java' + path[len(home):])
                    if os.access(path, os.X_OK) or '.so' in file:
                        java.libraries(path, home)
        for jar in sorted(pathlib.Path(args.jars).glob('*.jar')):
            java.put(jar, f'/opt/kafka/libs/{jar.name}')
        java.put(args.emulator, '/opt/firestore/emulator.jar')
        source = pathlib.Path(__file__).with_name('Operate.java')
        subprocess.run(['javac', '--release', '17', '-cp', f'{args.jars}/*', '-d', f'{work}/classes', source], check=True)
        for name in pathlib.Path(f'{work}/classes').glob('*.class'):
            java.put(name, f'/opt/stand-in/{name.name}')
        java.program('/bin/busybox', '/bin/busybox')
        for tool in ('sh', 'cat', 'sleep', 'mkdir', 'ls'):
            java.text(f'/bin/{tool}', '#!/bin/busybox sh\nexec /bin/busybox ' + tool + ' "$@"\n', 0o755) if tool != 'sh' else java.put('/bin/busybox', '/bin/sh')
        # What the overlay calls is Google's command.
        java.text('/usr/local/bin/gcloud', '''#!/bin/sh
[ "$1 $2 $3" = "emulators firestore start" ] || exit 2
listen=${4#--host-port=}
exec /opt/java/bin/java -Xmx512m -cp /opt/firestore/emulator.jar \\
    com.google.cloud.datastore.emulator.firestore.CloudFirestore start "--host=${listen%:*}" "--port=${listen##*:}"
''', 0o755)
        java.text('/etc/nsswitch.conf', 'hosts: files dns\n')
        java.text('/etc/passwd', 'kafka:x:1001:0::/:/nonexistent\n')
        java.directory('/tmp', 0o1777)

        images = [(f'docker.io/storepulse/services:{args.version}', ours, '65532:65532'), (f'docker.io/test/java:{args.version}', java, '1001:0')]
        manifest = []
        with tarfile.open(args.out, 'w') as out:
            for number, (reference, layer, user) in enumerate(images):
                digest = layer.close()
                config = {'architecture': 'amd64', 'os': 'linux',
                          'config': {'User': user, 'Env': ['PATH=/usr/local/bin:/bin:/opt/java/bin', 'JAVA_HOME=/opt/java']},
                          'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + digest]}, 'history': [{'created_by': 'test'}]}
                pathlib.Path(f'{work}/config.json').write_text(json.dumps(config))
                out.add(f'{work}/config.json', f'{number}/config.json')
                out.add(layer.path, f'{number}/layer.tar')
                manifest.append({'Config': f'{number}/config.json', 'RepoTags': [reference], 'Layers': [f'{number}/layer.tar']})
            pathlib.Path(f'{work}/manifest.json').write_text(json.dumps(manifest))
            out.add(f'{work}/manifest.json', 'manifest.json')

if __name__ == '__main__':
    main()
