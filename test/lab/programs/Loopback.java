import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Talks to itself by TCP. */
class Loopback {
	public static void main(String[] arguments) throws Exception {
		try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
				Socket connection = new Socket("127.0.0.1", listener.getLocalPort());
				Socket accepted = listener.accept()) {
			accepted.getOutputStream().write("hello".getBytes());
			accepted.shutdownOutput();
			System.out.println(new String(connection.getInputStream().readAllBytes()));
		}
	}
}
