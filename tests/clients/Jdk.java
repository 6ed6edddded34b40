// The JDK's own HTTP client without any setting: its first request to each host offers HTTP/2 (h2c).
// Prints what it is answered, a line each: three windows, then the messages of a stream, cut once.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public class Jdk {
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        for (int turn = 0; turn < 3; turn++) {
            System.out.println(classify(url));
        }
        String stream = talk(url + "/stream", 0);
        talk(url + "/stream?stream=" + stream, 2);
        System.exit(0);
    }

    static String classify(String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/classify"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString("{\"sequences\": [[[1, 2]]], \"logits\": true, \"model\": null}"))
            .build();
        var answer = CLIENT.send(request, BodyHandlers.ofString());
        return answer.version() + " " + answer.statusCode() + " " + answer.body();
    }

    /** Two chunks of a stream, from this offset on; the stream's id. */
    static String talk(String url, int offset) throws Exception {
        Heard heard = new Heard();
        WebSocket socket = CLIENT.newWebSocketBuilder()
            .buildAsync(URI.create(url.replaceFirst("http", "ws")), heard).join();
        String opened = heard.next();
        for (int turn = 0; turn < 2; turn++) {
            String chunk = "{\"type\": \"chunk\", \"offset\": %d, \"steps\": [[1, 2]], \"logits\": true}";
            socket.sendText(String.format(chunk, offset + turn), true).join();
            System.out.println(heard.next());
        }
        socket.abort();
        return opened.replaceFirst(".*\"stream\": ?\"([^\"]+)\".*", "$1");
    }

    static class Heard implements WebSocket.Listener {
        final BlockingQueue<String> messages = new LinkedBlockingQueue<>();
        final StringBuilder part = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            part.append(data);
            if (last) {
                messages.add(part.toString());
                part.setLength(0);
            }
            socket.request(1);
            return null;
        }

        String next() throws Exception {
            String message = messages.poll(60, TimeUnit.SECONDS);
            if (message == null) {
                throw new IllegalStateException("no message within a minute");
            }
            return message;
        }
    }
}
