import java.net.ServerSocket;

/** Listens on all addresses of both families, and tells each client whose address it has. */
public class Serve {
    public static void main(String[] arguments) throws Exception {
        try (var listener = new ServerSocket(Integer.parseInt(arguments[0]))) {
            while (true) {
                try (var client = listener.accept()) {
                    client.getOutputStream().write((client.getInetAddress().getHostAddress() + "\n").getBytes());
                }
            }
        }
    }
}
