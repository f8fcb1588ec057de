#!/usr/bin/env python3
"""Test only: plays the part of Strimzi's operators, which no package registry has.

Reads the same objects (Kafka, KafkaNodePool, KafkaTopic, KafkaUser), runs real Kafka nodes as pods, with the settings
that the objects ask for, and writes what the operators write: pods and their labels, Services, Secrets of authorities
and users, network policy, finalizers, statuses. It upgrades nothing and repairs little.
"""
import base64, hashlib, json, os, pathlib, secrets, subprocess, sys, time, traceback

NS, IMAGE, VOLUMES, WORK = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
API = 'kafka.strimzi.io/v1'
FINALIZER = 'strimzi.io/topic-operator'
RESTRICTED = {'allowPrivilegeEscalation': False, 'runAsNonRoot': True, 'capabilities': {'drop': ['ALL']},
              'seccompProfile': {'type': 'RuntimeDefault'}}

def run(*command, stdin=None, check=True):
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f'{" ".join(command[:6])}: {done.stderr.strip()[:500]}')
    return done.stdout

def k(*args, stdin=None, check=True):
    return run('kubectl', '-n', NS, *args, stdin=stdin, check=check)

def get(kind, name=None):
    if name:
        out = k('get', kind, name, '-o', 'json', '--ignore-not-found')
        return json.loads(out) if out.strip() else None
    return json.loads(k('get', kind, '-o', 'json'))['items']

def apply(*objects):
    k('apply', '--server-side', '--field-manager', 'strimzi-stand-in', '--force-conflicts', '-f', '-',
      stdin=json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': list(objects)}))

def status(kind, obj, **more):
    now = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
    body = {'status': {'observedGeneration': obj['metadata']['generation'],
                       'conditions': [{'type': 'Ready', 'status': 'True', 'lastTransitionTime': now}], **more}}
    k('patch', kind, obj['metadata']['name'], '--subresource=status', '--type=merge', '-p', json.dumps(body))

def owned(obj):
    meta = obj['metadata']
    return [{'apiVersion': API, 'kind': obj['kind'], 'name': meta['name'], 'uid': meta['uid'], 'controller': False}]

def secret(name, owner, data):
    return {'apiVersion': 'v1', 'kind': 'Secret', 'metadata': {'name': name, 'namespace': NS, 'ownerReferences': owned(owner),
            'labels': {'strimzi.io/cluster': 'storepulse'}}, 'stringData': data}

def read_secret(name):
    found = get('secret', name)
    return {key: base64.b64decode(value).decode() for key, value in found['data'].items()} if found else None

def openssl(*args, stdin=None):
    return run('openssl', *args, stdin=stdin)

def authority(name, kafka):
    """An authority as the operator makes it: the certificate in one Secret, the key in another."""
    cluster = kafka['metadata']['name']
    found, key = read_secret(f'{cluster}-{name}-cert'), read_secret(f'{cluster}-{name}')
    if found and key:
        return found['ca.crt'], key['ca.key']
    base = WORK / name
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '365', '-subj', f'/O=io.strimzi/CN={name} v0',
            '-keyout', f'{base}.key', '-out', f'{base}.crt', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
    crt, key = base.with_suffix('.crt').read_text(), base.with_suffix('.key').read_text()
    apply(secret(f'{cluster}-{name}-cert', kafka, {'ca.crt': crt}), secret(f'{cluster}-{name}', kafka, {'ca.key': key}))
    return crt, key

def certificate(subject, ca, names=()):
    crt, key = ca
    base = WORK / hashlib.sha256(subject.encode()).hexdigest()[:12]
    (WORK / 'ca.crt').write_text(crt); (WORK / 'ca.key').write_text(key)
    openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', subject, '-keyout', f'{base}.key', '-out', f'{base}.csr')
    ext = 'keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth,serverAuth\n'
    if names:
        ext += 'subjectAltName=' + ','.join(f'DNS:{name}' for name in names) + '\n'
    base.with_suffix('.ext').write_text(ext)
    openssl('x509', '-req', '-in', f'{base}.csr', '-CA', str(WORK / 'ca.crt'), '-CAkey', str(WORK / 'ca.key'), '-set_serial',
            '0x' + secrets.token_hex(8), '-days', '365', '-extfile', f'{base}.ext', '-out', f'{base}.crt')
    return base.with_suffix('.crt').read_text(), base.with_suffix('.key').read_text()

def nodes(pools):
    """Ids follow the pools' names."""
    number, all_nodes = 0, []
    for pool in sorted(pools, key=lambda pool: pool['metadata']['name']):
        for _ in range(pool['spec']['replicas']):
            all_nodes.append((number, pool))
            number += 1
    return all_nodes

def host(cluster, pod):
    return f'{pod}.{cluster}-kafka-brokers.{NS}.svc'

def properties(kafka, number, pool, all_nodes, clients_ca):
    cluster, spec = kafka['metadata']['name'], kafka['spec']['kafka']
    pod = f'{cluster}-{pool["metadata"]["name"]}-{number}'
    roles = pool['spec']['roles']
    voters = ','.join(f'{n}@{host(cluster, cluster + "-" + p["metadata"]["name"] + "-" + str(n))}:9090'
                      for n, p in all_nodes if 'controller' in p['spec']['roles'])
    lines = {'node.id': number, 'process.roles': ','.join(roles), 'controller.quorum.voters': voters,
             'controller.listener.names': 'CONTROLPLANE-9090', 'log.dirs': '/var/lib/kafka/data',
             'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
             'super.users': f'User:CN={cluster}-kafka,O=io.strimzi'}
    listeners, protocols, advertised = [], ['CONTROLPLANE-9090:SSL', 'REPLICATION-9091:SSL'], []
    internal = ['controlplane-9090', 'replication-9091']
    if 'controller' in roles:
        listeners.append('CONTROLPLANE-9090://0.0.0.0:9090')
    if 'broker' in roles:
        lines['inter.broker.listener.name'] = 'REPLICATION-9091'
        listeners.append('REPLICATION-9091://0.0.0.0:9091')
        advertised.append(f'REPLICATION-9091://{host(cluster, pod)}:9091')
    for listener in spec['listeners']:
        name = f'{listener["name"]}-{listener["port"]}'
        protocols.append(f'{name.upper()}:' + ('SASL_' if listener['authentication'].get('sasl') else '') + ('SSL' if listener['tls'] else 'PLAINTEXT'))
        if 'broker' in roles:
            listeners.append(f'{name.upper()}://0.0.0.0:{listener["port"]}')
            advertised.append(f'{name.upper()}://{host(cluster, pod)}:{listener["port"]}')
            prefix = f'listener.name.{name}.'
            lines[prefix + 'ssl.keystore.type'] = 'PEM'
            lines[prefix + 'ssl.keystore.location'] = '/etc/kafka/node.pem'
            assert listener['authentication']['type'] == 'custom', 'this stand-in knows custom authentication only'
            for key, value in listener['authentication']['listenerConfig'].items():
                if value == '${strimzisecrets:%s/%s-trustbundle:clients-ca.crt}' % (NS, cluster):
                    value = clients_ca
                assert '${' not in str(value), value
                lines[prefix + key] = value
    for name in internal:
        prefix = f'listener.name.{name}.'
        lines |= {prefix + 'ssl.keystore.type': 'PEM', prefix + 'ssl.keystore.location': '/etc/kafka/node.pem',
                  prefix + 'ssl.truststore.type': 'PEM', prefix + 'ssl.truststore.location': '/etc/kafka/cluster-ca.pem',
                  prefix + 'ssl.client.auth': 'required'}
    lines['listeners'] = ','.join(listeners)
    if advertised:
        lines['advertised.listeners'] = ','.join(advertised)
    lines['listener.security.protocol.map'] = ','.join(protocols)
    lines |= spec.get('config', {})
    # A small machine: fewer internal partitions, and no wait for members that are not there.
    lines |= {'offsets.topic.num.partitions': 8, 'transaction.state.log.num.partitions': 8, 'group.initial.rebalance.delay.ms': 0}
    text = lambda value: str(value).lower() if isinstance(value, bool) else str(value).replace('\n', '\\n')
    return ''.join(f'{key}={text(value)}\n' for key, value in lines.items())

LOG = 'status=WARN\nappender.c.type=Console\nappender.c.name=c\nappender.c.layout.type=PatternLayout\n' \
      'appender.c.layout.pattern=%d %p %c{1} %m%n\nrootLogger.level=WARN\nrootLogger.appenderRef.c.ref=c\n'

def node_objects(kafka, number, pool, all_nodes, cluster_id, cluster_ca, clients_ca):
    cluster = kafka['metadata']['name']
    pod, role = f'{cluster}-{pool["metadata"]["name"]}-{number}', pool['spec']['roles']
    names = [host(cluster, pod), f'{host(cluster, pod)}.cluster.local', f'{cluster}-kafka-bootstrap',
             f'{cluster}-kafka-bootstrap.{NS}', f'{cluster}-kafka-bootstrap.{NS}.svc']
    objects = []
    if not get('secret', pod):
        crt, key = certificate(f'/O=io.strimzi/CN={cluster}-kafka', cluster_ca, names)
        objects.append(secret(pod, kafka, {
            'node.pem': key + crt, 'cluster-ca.pem': cluster_ca[0], 'log4j2.properties': LOG,
            'server.properties': properties(kafka, number, pool, all_nodes, clients_ca[0])}))
    claim = f'data-0-{pod}'
    if not get('pvc', claim):
        volume = VOLUMES / claim
        volume.mkdir(parents=True, exist_ok=True)
        os.chown(volume, 1001, 0)
        volume.chmod(0o2770)
        size = pool['spec']['storage']['volumes'][0]['size']
        meta = {'name': claim, 'labels': {'strimzi.io/cluster': cluster, 'strimzi.io/pool-name': pool['metadata']['name']}}
        objects.append({'apiVersion': 'v1', 'kind': 'PersistentVolume', 'metadata': meta, 'spec': {
            'capacity': {'storage': size}, 'accessModes': ['ReadWriteOnce'], 'persistentVolumeReclaimPolicy': 'Retain',
            'storageClassName': '', 'hostPath': {'path': str(volume)}, 'claimRef': {'name': claim, 'namespace': NS}}})
        objects.append({'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {**meta, 'namespace': NS}, 'spec': {
            'accessModes': ['ReadWriteOnce'], 'storageClassName': '', 'volumeName': claim,
            'resources': {'requests': {'storage': size}}}})
    java = 'java -cp "/opt/kafka/libs/*" -Dlog4j2.configurationFile=/etc/kafka/log4j2.properties'
    heap = pool['spec']['jvmOptions']
    template = kafka['spec']['kafka'].get('template', {}).get('kafkaContainer', {}).get('securityContext', {})
    mounts = [{'name': 'config', 'mountPath': '/etc/kafka'}, {'name': 'data', 'mountPath': '/var/lib/kafka'}, {'name': 'tmp', 'mountPath': '/tmp'}]
    container = lambda name, command: {
        'name': name, 'image': IMAGE, 'imagePullPolicy': 'IfNotPresent', 'command': ['/bin/sh', '-c', command],
        'securityContext': {**template, 'readOnlyRootFilesystem': True}, 'volumeMounts': mounts}
    node = container('kafka', f'exec {java} -Xms{heap["-Xms"]} -Xmx{heap["-Xmx"]} -XX:+UseSerialGC kafka.Kafka /etc/kafka/server.properties')
    node['resources'] = {'limits': pool['spec']['resources']['limits'], 'requests': {'cpu': '10m', 'memory': '128Mi'}}
    node['readinessProbe'] = {'tcpSocket': {'port': 9091 if 'broker' in role else 9090}, 'periodSeconds': 3}
    # As the real operator's pods.
    node['ports'] = [{'containerPort': port} for port in ([9093, 9091] if 'broker' in role else [9090])]
    objects.append({'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': pod, 'namespace': NS, 'ownerReferences': owned(kafka), 'labels': {
        'strimzi.io/cluster': cluster, 'strimzi.io/kind': 'Kafka', 'strimzi.io/name': f'{cluster}-kafka',
        'strimzi.io/pool-name': pool['metadata']['name'], 'strimzi.io/broker-role': str('broker' in role).lower(),
        'strimzi.io/controller-role': str('controller' in role).lower()}}, 'spec': {
        'hostname': pod, 'subdomain': f'{cluster}-kafka-brokers', 'automountServiceAccountToken': False, 'enableServiceLinks': False,
        'restartPolicy': 'Always', 'terminationGracePeriodSeconds': 30,
        'securityContext': {'runAsUser': 1001, 'runAsGroup': 0, 'fsGroup': 0},
        'initContainers': [container('format', f'{java} -Xmx96m kafka.tools.StorageTool format --ignore-formatted -t {cluster_id} -c /etc/kafka/server.properties')],
        'containers': [node],
        'volumes': [{'name': 'config', 'secret': {'secretName': pod, 'defaultMode': 0o440}},
                    {'name': 'data', 'persistentVolumeClaim': {'claimName': claim}}, {'name': 'tmp', 'emptyDir': {}}]}})
    return objects

def cluster_objects(kafka):
    cluster = kafka['metadata']['name']
    select = {'strimzi.io/cluster': cluster, 'strimzi.io/name': f'{cluster}-kafka'}
    brokers = {**select, 'strimzi.io/broker-role': 'true'}
    meta = lambda name: {'name': name, 'namespace': NS, 'ownerReferences': owned(kafka), 'labels': {'strimzi.io/cluster': cluster}}
    ports = [{'name': f'tcp-{port}', 'port': port} for port in (9090, 9091, 9093)]
    listener = kafka['spec']['kafka']['listeners'][0]
    tcp = lambda *all_ports: [{'protocol': 'TCP', 'port': port} for port in all_ports]
    return [
        {'apiVersion': 'v1', 'kind': 'Service', 'metadata': meta(f'{cluster}-kafka-brokers'),
         'spec': {'clusterIP': 'None', 'publishNotReadyAddresses': True, 'selector': select, 'ports': ports}},
        {'apiVersion': 'v1', 'kind': 'Service', 'metadata': meta(f'{cluster}-kafka-bootstrap'),
         'spec': {'selector': brokers, 'ports': [{'name': 'tcp-clients', 'port': listener['port']}]}},
        {'apiVersion': 'networking.k8s.io/v1', 'kind': 'NetworkPolicy', 'metadata': meta(f'{cluster}-network-policy-kafka'),
         'spec': {'podSelector': {'matchLabels': select}, 'policyTypes': ['Ingress'], 'ingress': [
             {'from': [{'podSelector': {'matchLabels': select}}], 'ports': tcp(9090, 9091, 8443)},
             {'from': listener['networkPolicyPeers'], 'ports': tcp(listener['port'])}]}},
    ]

def operate(kafka, lines):
    """Does in Kafka what lines say, in the pod of a broker."""
    cluster = kafka['metadata']['name']
    pods = [pod['metadata']['name'] for pod in get('pods') if pod['metadata'].get('labels', {}).get('strimzi.io/broker-role') == 'true'
            and any(c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', []))]
    if not pods:
        raise RuntimeError('no broker is ready')
    bootstrap = ','.join(f'{host(cluster, pod)}:9091' for pod in pods)
    out = k('exec', '-i', pods[0], '-c', 'kafka', '--', 'java', '-Xmx96m', '-XX:+UseSerialGC', '-Dlog4j2.level=ERROR', '-cp', '/opt/kafka/libs/*:/opt/stand-in',
            'Operate', bootstrap, stdin=''.join('\t'.join(line) + '\n' for line in lines))
    assert 'done' in out, out
TYPES = {'topic': 'TOPIC', 'group': 'GROUP', 'cluster': 'CLUSTER', 'transactionalId': 'TRANSACTIONAL_ID'}

def camel(name):
    return ''.join('_' + c if c.isupper() and i else c for i, c in enumerate(name)).upper()

def user_lines(user, password):
    name, lines = user['metadata']['name'], []
    if password:
        lines.append(('user', name, password))
    lines.append(('forget', name))
    for acl in user['spec'].get('authorization', {}).get('acls', []):
        at = acl['resource']
        pattern = 'PREFIXED' if at.get('patternType') == 'prefix' else 'LITERAL'
        lines += [('acl', name, TYPES[at['type']], at.get('name', 'kafka-cluster'), pattern, camel(op)) for op in acl['operations']]
    return lines

def is_ready(obj):
    return obj.get('status', {}).get('observedGeneration') == obj['metadata']['generation']

def reconcile():
    kafkas = get('kafkas.kafka.strimzi.io')
    if not kafkas:
        for topic in get('kafkatopics.kafka.strimzi.io'):
            assert 'deletionTimestamp' not in topic['metadata'], f'topic {topic["metadata"]["name"]} is deleted after its Kafka'
        return
    kafka = kafkas[0]
    if 'deletionTimestamp' in kafka['metadata']:
        return
    cluster = kafka['metadata']['name']
    cluster_ca, clients_ca = authority('cluster-ca', kafka), authority('clients-ca', kafka)
    all_nodes = nodes(get('kafkanodepools.kafka.strimzi.io'))
    if not all_nodes:
        return
    id_file = WORK / 'cluster-id'
    if not id_file.exists():
        id_file.write_text(base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip('='))
    there = {pod['metadata']['name'] for pod in get('pods')}
    objects = [] if get('service', f'{cluster}-kafka-bootstrap') else cluster_objects(kafka)
    for number, pool in all_nodes:
        if f'{cluster}-{pool["metadata"]["name"]}-{number}' not in there:
            objects += node_objects(kafka, number, pool, all_nodes, id_file.read_text(), cluster_ca, clients_ca)
    if objects:
        apply(*objects)
        print('made', len(objects), 'objects', flush=True)
    ready = [pod for pod in get('pods') if pod['metadata'].get('labels', {}).get('strimzi.io/name') == f'{cluster}-kafka'
             and any(c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', []))]
    if not is_ready(kafka) and len(ready) < len(all_nodes):
        return
    topics, users = get('kafkatopics.kafka.strimzi.io'), get('kafkausers.kafka.strimzi.io')
    lines, done, made = [], [], []
    for topic in topics:
        meta, spec = topic['metadata'], topic['spec']
        if 'deletionTimestamp' in meta:
            if FINALIZER in meta.get('finalizers', []):
                operate(kafka, [('delete-topic', meta['name'])])
                k('patch', 'kafkatopic', meta['name'], '--type=merge', '-p', '{"metadata":{"finalizers":null}}')
        elif not is_ready(topic):
            k('patch', 'kafkatopic', meta['name'], '--type=merge', '-p', json.dumps({'metadata': {'finalizers': [FINALIZER]}}))
            lines.append(('topic', meta['name'], str(spec['partitions']), str(spec['replicas']), *(f'{a}={b}' for a, b in spec['config'].items())))
            done.append(('kafkatopic', topic, {'topicName': meta['name']}))
    for user in users:
        name, kind = user['metadata']['name'], user['spec']['authentication']['type']
        if 'deletionTimestamp' in user['metadata']:
            continue
        found = read_secret(name)
        if is_ready(user) and found:
            continue
        password = None
        if kind == 'tls' and not found:
            crt, key = certificate(f'/CN={name}', clients_ca)
            made.append(secret(name, user, {'ca.crt': clients_ca[0], 'user.crt': crt, 'user.key': key}))
        elif kind == 'scram-sha-512':
            password = found['password'] if found else secrets.token_urlsafe(24)
            made.append(secret(name, user, {'password': password}))
        lines += user_lines(user, password)
        done.append(('kafkauser', user, {'username': name, 'secret': name}))
    if lines:
        operate(kafka, lines)
        if made:
            apply(*made)
        for kind, obj, more in done:
            status(kind, obj, **more)
        print('operated', len(lines), 'lines for', len(done), 'objects', flush=True)
    if not is_ready(kafka):
        status('kafka', kafka, kafkaVersion='4.3.1', clusterId=id_file.read_text())
        print('Kafka is ready', flush=True)

if __name__ == '__main__':
    WORK.mkdir(parents=True, exist_ok=True)
    WORK.chmod(0o700)
    if len(sys.argv) > 5:  # for tests: a line to be carried out in Kafka, behind the users' backs
        operate(get('kafkas.kafka.strimzi.io')[0], [sys.argv[5:]])
        sys.exit()
    while True:
        try:
            reconcile()
        except Exception as error:
            print('again:', error, flush=True)
            if os.environ.get('TRACE'):
                traceback.print_exc()
        time.sleep(2)
