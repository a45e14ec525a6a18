// HeapReader.java FILE - reads a heap dump with VisualVM's library and prints what it finds:
//
//	class NAME COUNT BYTES		every class: its instances and their sizes
//	instance ID SIZE RETAINED NAME	every instance, by its id in hexadecimal
//	roots COUNT
import java.io.BufferedWriter;
import java.io.File;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import org.graalvm.visualvm.lib.jfluid.heap.GCRoot;
import org.graalvm.visualvm.lib.jfluid.heap.Heap;
import org.graalvm.visualvm.lib.jfluid.heap.HeapFactory;
import org.graalvm.visualvm.lib.jfluid.heap.Instance;
import org.graalvm.visualvm.lib.jfluid.heap.JavaClass;

public class HeapReader {
	public static void main(String[] arguments) throws Exception {
		Heap heap = HeapFactory.createHeap(new File(arguments[0]));
		PrintWriter out = new PrintWriter(new BufferedWriter(
			new OutputStreamWriter(System.out, StandardCharsets.UTF_8)));
		for (JavaClass type : heap.getAllClasses())
			out.println("class\t" + type.getName() + "\t" + type.getInstancesCount() + "\t"
				+ type.getAllInstancesSize());
		for (Iterator<Instance> at = heap.getAllInstancesIterator(); at.hasNext();) {
			Instance instance = at.next();
			out.println("instance\t" + Long.toHexString(instance.getInstanceId()) + "\t"
				+ instance.getSize() + "\t" + instance.getRetainedSize() + "\t"
				+ instance.getJavaClass().getName());
		}
		int roots = 0;
		for (Object root : heap.getGCRoots())
			roots++;
		out.println("roots\t" + roots);
		out.flush();
	}
}
