import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;

/**
 * Test only: what the topic and user operators would do in Kafka, from lines of tab-separated words on standard input.
 * Runs in a broker's pod, as the broker.
 */
public class Operate {
    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("security.protocol", "SSL");
        settings.put("ssl.keystore.type", "PEM");
        settings.put("ssl.keystore.location", "/etc/kafka/node.pem");
        settings.put("ssl.truststore.type", "PEM");
        settings.put("ssl.truststore.location", "/etc/kafka/cluster-ca.pem");
        settings.put("default.api.timeout.ms", "60000");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        List<String[]> lines = input.lines().map(line -> line.split("\t", -1)).collect(Collectors.toList());
        try (Admin admin = Admin.create(settings)) {
            Set<String> known = admin.listTopics().names().get();
            List<NewTopic> topics = new ArrayList<>();
            List<UserScramCredentialUpsertion> users = new ArrayList<>();
            List<AclBinding> acls = new ArrayList<>();
            for (String[] line : lines) {
                switch (line[0]) {
                    case "topic" -> {
                        if (known.contains(line[1])) break;
                        Map<String, String> configs = new HashMap<>();
                        for (int i = 4; i < line.length; i++) {
                            String[] pair = line[i].split("=", 2);
                            if (pair.length == 2) configs.put(pair[0], pair[1]);
                        }
                        short copies = Short.parseShort(line[3]);
                        topics.add(new NewTopic(line[1], Integer.parseInt(line[2]), copies).configs(configs));
                    }
                    case "delete-topic" -> {
                        if (known.contains(line[1])) admin.deleteTopics(List.of(line[1])).all().get();
                    }
                    case "user" -> users.add(new UserScramCredentialUpsertion(
                            line[1], new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), line[2]));
                    case "forget" -> admin.deleteAcls(filters("User:" + line[1])).all().get();
                    case "acl", "delete-acl" -> {
                        AclBinding acl = new AclBinding(
                                new ResourcePattern(ResourceType.valueOf(line[2]), line[3], PatternType.valueOf(line[4])),
                                new AccessControlEntry(
                                        "User:" + line[1], "*", AclOperation.valueOf(line[5]), AclPermissionType.ALLOW));
                        if (line[0].equals("acl")) acls.add(acl);
                        else admin.deleteAcls(List.of(acl.toFilter())).all().get();
                    }
                    default -> throw new IllegalArgumentException(line[0]);
                }
            }
            if (!topics.isEmpty()) admin.createTopics(topics).all().get();
            if (!users.isEmpty()) admin.alterUserScramCredentials(new ArrayList<>(users)).all().get();
            if (!acls.isEmpty()) admin.createAcls(acls).all().get();
        }
        System.out.println("done");
    }

    private static Collection<AclBindingFilter> filters(String principal) {
        return List.of(new AclBindingFilter(
                ResourcePatternFilter.ANY,
                new AccessControlEntryFilter(principal, null, AclOperation.ANY, AclPermissionType.ANY)));
    }
}
